// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/idle.hpp - what a poll lcore does with passes that found nothing.
// Thread: the lcore.
#pragma once

#include <cstdint>

namespace vballoon::lcore {

enum class IdleStrategy : std::uint8_t {
  kSpin,     ///< production: poll on; the core is this daemon's own
  kBackoff,  ///< development: sleep a little, then a little longer; kicks stay off
};

/// What a pass found.
enum class Found : std::uint8_t {
  kNothing,
  kLone,    ///< something, and nothing is to be expected behind it: it changes no rest
  kStream,  ///< something, and more may be on its way
};

class Idle {
 public:
  explicit Idle(IdleStrategy strategy) noexcept : strategy_(strategy) {}

  /// On the lcore, before its first pass.
  void begin() const noexcept;

  /// After each pass. @return true when it slept.
  bool after_pass(Found found) noexcept;

 private:
  std::uint32_t empty_passes_ = 0;
  std::uint32_t sleep_us_ = 0;
  const IdleStrategy strategy_;
};

}  // namespace vballoon::lcore
