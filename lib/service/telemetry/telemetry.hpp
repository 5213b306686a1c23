// SPDX-License-Identifier: BSD-3-Clause
//
// service/telemetry/telemetry.hpp - the daemon's commands in DPDK's telemetry: /balloon/...
// docs/operations.md has them. DPDK stays behind this header.
// Thread: the control thread.
#pragma once

#include <asio/io_context.hpp>

#include "service/telemetry/answers.hpp"

namespace vballoon::service {

/// While it lives the commands are answered. They stay registered, for DPDK has no way back, and
/// refuse from then on. At most one at a time.
class Telemetry {
 public:
  /// The arguments outlive this object.
  Telemetry(asio::io_context& loop, const vm::Fleet& fleet, const VmSettings& settings);
  ~Telemetry();
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;

 private:
  const Answers answers_;
};

}  // namespace vballoon::service
