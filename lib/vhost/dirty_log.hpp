// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/dirty_log.hpp - the dirty log of a VM that is being migrated. While mapped it is under
//                       watch, because its VMM may make its file shorter.
// Thread: the device's lock guards all of it, except lost().
// Source: vhost-user protocol, VHOST_USER_SET_LOG_BASE.
#pragma once

#include "base/result.hpp"
#include "gmem/lost_memory.hpp"
#include "vhost/log_mapping.hpp"
#include "vhost/message.hpp"

namespace vballoon::vhost {

class DirtyLog {
 public:
  /// @param mapping  the session's. It outlives this object.
  explicit DirtyLog(LogMapping& mapping) noexcept : mapping_(mapping) {}

  /// Unmaps the present log, and maps that of a SET_LOG_BASE.
  /// @errors kInvalidArgument with what is wrong with the log, in the form of check_message();
  ///         kHost. Then there is no log.
  /// @pre no ring runs that marks pages in the present log
  [[nodiscard]] Result<void> replace(const Message& message);
  /// @pre as replace()
  void forget() noexcept;

  [[nodiscard]] virtq::DirtyLog log() const noexcept { return mapping_.log(); }
  /// Whether a part of the log was missing when a mark was written there. Thread: any.
  [[nodiscard]] bool lost() const noexcept { return watch_.lost(); }

 private:
  LogMapping& mapping_;
  gmem::MemoryWatch watch_;
};

}  // namespace vballoon::vhost
