// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/dirty_log.hpp - the dirty log of a VM that is being migrated, under watch while it is
//                       mapped: its VMM may make its file shorter.
// Thread: the device's lock guards all of it, but for lost().
// Source: vhost-user protocol, VHOST_USER_SET_LOG_BASE.
#pragma once

#include "base/result.hpp"
#include "gmem/lost_memory.hpp"
#include "vhost/log_mapping.hpp"
#include "vhost/message.hpp"

namespace vballoon::vhost {

class DirtyLog {
 public:
  /// @param mapping  the session's; outlives this.
  explicit DirtyLog(LogMapping& mapping) noexcept : mapping_(mapping) {}

  /// That of a SET_LOG_BASE, in the place of the one before, which is gone in any case.
  /// @errors what is wrong with it, to be followed by "that is refused"; kHost.
  /// @pre no ring runs that marks in the one before
  [[nodiscard]] Result<void> replace(const Message& message);
  /// @pre as replace()
  void forget() noexcept;

  [[nodiscard]] virtq::DirtyLog log() const noexcept { return mapping_.log(); }
  /// Some of it was not there when it was written. Thread: any.
  [[nodiscard]] bool lost() const noexcept { return watch_.lost(); }

 private:
  LogMapping& mapping_;
  gmem::MemoryWatch watch_;
};

}  // namespace vballoon::vhost
