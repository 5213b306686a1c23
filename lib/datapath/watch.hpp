// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/watch.hpp - where a poll lcore looks to see that a device has something new.
//
// A pass over thousands of idle rings is bound by cache misses. Kept side by side for all devices
// of a lcore, these 16 bytes a ring let the processor overlap them.
#pragma once

#include <cstdint>

namespace vballoon::datapath {

struct Watch {
  const std::uint16_t* word = nullptr;  ///< a word of a ring in guest memory, or a request count
  std::uint16_t seen = 0;

  /// Relaxed: it only says that it is worth looking; whoever looks loads with acquire.
  [[nodiscard]] bool changed() const noexcept {
    return __atomic_load_n(word, __ATOMIC_RELAXED) != seen;
  }
};

/// A watch that never changes.
[[nodiscard]] inline Watch nothing_to_watch() noexcept {
  static constexpr std::uint16_t kStill = 0;
  return Watch{&kStill, 0};
}

}  // namespace vballoon::datapath
