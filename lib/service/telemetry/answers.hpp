// SPDX-License-Identifier: BSD-3-Clause
//
// service/telemetry/answers.hpp - what the daemon answers to DPDK's telemetry, in JSON.
// Knows nothing of DPDK.
// Thread: the control thread.
#pragma once

#include <string>

#include "rpc/message.hpp"
#include "service/vm_settings.hpp"
#include "vm/fleet.hpp"

namespace vballoon::service {

using Answer = rpc::Outcome<rpc::Body>;

class Answers {
 public:
  /// Both arguments outlive this object.
  Answers(const vm::Fleet& fleet, const VmSettings& settings)
      : fleet_(fleet), settings_(settings) {}

  /// Names in the order of their bytes, as many as one answer of telemetry holds.
  /// @param after  only those that come after this name, which need not be a VM's; empty: all.
  [[nodiscard]] Answer names(const std::string& after) const;
  /// The result of `device.show`.
  [[nodiscard]] Answer device(const std::string& name) const;
  /// The result of `lcore.list`, less the sentences for people.
  [[nodiscard]] Answer lcores() const;

 private:
  const vm::Fleet& fleet_;
  const VmSettings& settings_;
};

}  // namespace vballoon::service
