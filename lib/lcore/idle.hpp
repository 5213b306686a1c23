// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/idle.hpp - what an lcore does between passes that find nothing: spin, or sleep.
// Thread: the lcore.
#pragma once

#include <cstdint>

namespace vballoon::lcore {

enum class IdleStrategy : std::uint8_t {
  kSpin,     ///< production: poll at once again; the core is this daemon's own
  kBackoff,  ///< development: sleep, shortly at first, then longer; kicks stay off
};

/// What a pass found.
enum class Found : std::uint8_t {
  kNothing,
  kLone,    ///< work with no more to be expected behind it: sleeps stay as they are
  kStream,  ///< work with more to be expected behind it: sleeps are short again
};

class Idle {
 public:
  explicit Idle(IdleStrategy strategy) noexcept : strategy_(strategy) {}

  /// The lcore calls it before its first pass.
  void begin() const noexcept;

  /// The lcore calls it after each pass. @return true when it slept.
  bool after_pass(Found found) noexcept;

 private:
  std::uint32_t empty_passes_ = 0;
  std::uint32_t sleep_us_ = 0;
  const IdleStrategy strategy_;
};

}  // namespace vballoon::lcore
