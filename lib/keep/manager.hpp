// SPDX-License-Identifier: BSD-3-Clause
//
// keep/manager.hpp - who starts the next process of this service, and whether he still can.
// Thread: the control thread.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "keep/notifier.hpp"

namespace vballoon::keep {

class Manager {
 public:
  enum class Kind : std::uint8_t {
    kNobody,  ///< this process was not started by a service manager
    kKeeper,  ///< vballoon-keeper
    kOther,   ///< systemd, or the like
  };

  /// @param notifier  outlives this.
  explicit Manager(Notifier& notifier);

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  /// The keeper's process; 0 where there is none.
  [[nodiscard]] pid_t keeper() const noexcept { return keeper_; }
  /// Becomes readable when the keeper ends; -1 where it has ended already, or there is none.
  [[nodiscard]] int end() const noexcept { return end_.get(); }

  /// The keeper has ended: nothing is kept any more, and nobody is told anything.
  void give_up() noexcept;
  [[nodiscard]] bool gone() const noexcept { return gone_; }

  /// Has the keeper end this process by SIGTERM and start the program that is there now.
  /// @errors kUnavailable: the manager is none that can be asked, with what to do instead.
  [[nodiscard]] Result<void> ask_for_next() const;

 private:
  Notifier& notifier_;
  Kind kind_ = Kind::kNobody;
  pid_t keeper_ = 0;
  UniqueFd end_;
  bool gone_ = false;
};

}  // namespace vballoon::keep
