// SPDX-License-Identifier: BSD-3-Clause
//
// vm/notices.hpp - the log lines about one VM: never more than a few at a time, however often its
//                  VMM or its guest gives cause for them.
// Thread: any but the poll and reclaim lcores.
#pragma once

#include <string>

#include "base/log.hpp"
#include "base/result.hpp"

namespace vballoon::vm {

class Notices {
 public:
  /// @param name  the VM's name, with which every line begins.
  explicit Notices(std::string name) : name_(std::move(name)) {}

  void warn(const std::string& what);
  /// Logs an event that is no reason to warn. Notes have a gate of their own, so they do not crowd
  /// out warnings.
  void note(const std::string& what);
  /// Warns of a message of the VMM that was not acted on.
  void refused(const Status& why);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  const std::string name_;
  LogGate warnings_;
  LogGate notes_;
};

}  // namespace vballoon::vm
