// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/heartbeat.hpp - whether every lcore makes progress. The watchdog is fed only then.
// Thread: the control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "lcore/crew.hpp"

namespace vballoon::lcore {

class Heartbeat {
 public:
  /// @param progress  returns a number that changes while its lcore works; called on this thread.
  /// @param whose     whose work the lcore has in hand, or null; called on this thread.
  void listen_to(
      std::function<std::uint64_t()> progress,
      std::function<const void*()> whose = [] { return nullptr; }) {
    pulses_.push_back({std::move(progress), std::move(whose), 0});
  }

  /// @param post  an lcore's, of this crew. Both outlive the object.
  void listen_to(const Post& post, Crew& crew) {
    listen_to([&post] { return post.progress(); }, [&post, &crew] { return crew.whose(post); });
  }

  /// @return whether every number has changed since the last call. The first call compares with 0.
  [[nodiscard]] bool all_alive();
  /// What the lcore that stood still then has in hand; null where none did, or it has nothing.
  [[nodiscard]] const void* stands_still_in() const noexcept { return stands_still_in_; }

 private:
  struct Pulse {
    std::function<std::uint64_t()> progress;
    std::function<const void*()> whose;
    std::uint64_t seen = 0;
  };
  std::vector<Pulse> pulses_;
  const void* stands_still_in_ = nullptr;
};

}  // namespace vballoon::lcore
