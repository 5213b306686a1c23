// SPDX-License-Identifier: BSD-3-Clause
//
// vm/notices.hpp - what one VM gives to say in the log: never more than a few lines at a time,
//                  however often its VMM or its guest does it.
// Thread: any but the poll and reclaim lcores.
#pragma once

#include <string>

#include "base/log.hpp"
#include "base/result.hpp"

namespace vballoon::vm {

class Notices {
 public:
  /// @param name  the VM's; every line begins with it.
  explicit Notices(std::string name) : name_(std::move(name)) {}

  void warn(const std::string& what);
  /// What comes and goes. It has a gate of its own, and does not crowd out the warnings.
  void note(const std::string& what);
  /// A message of the VMM that was not acted on.
  void refused(const Status& why);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  const std::string name_;
  LogGate warnings_;
  LogGate notes_;
};

}  // namespace vballoon::vm
