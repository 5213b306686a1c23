// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/progress.hpp - whether a balloon still moves towards its target.
// Layer:  app. Pure: the caller brings the time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace vballoon::ctl {

enum class Verdict {
  kGoing,
  kReached,
  kStalled,     ///< nothing closer to the target for kStallAfter
  kTimedOut,    ///< the caller's own limit
  kRetargeted,  ///< somebody else set another target meanwhile
};

/// A guest that swings around a target it cannot reach does not count as moving: only a distance
/// smaller than any before does.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kStallAfter{10};

  Progress(std::uint64_t target, std::uint64_t actual, Clock::time_point now,
           std::optional<std::chrono::seconds> timeout);

  [[nodiscard]] Verdict see(std::uint64_t target, std::uint64_t actual, Clock::time_point now);

  /// Of the way from where the balloon began to its target.
  [[nodiscard]] std::uint64_t done_bytes(std::uint64_t actual) const noexcept;
  [[nodiscard]] std::uint64_t whole_bytes() const noexcept { return whole_; }
  [[nodiscard]] Clock::time_point begin() const noexcept { return begin_; }

 private:
  [[nodiscard]] std::uint64_t distance(std::uint64_t actual) const noexcept;

  std::uint64_t target_;
  std::uint64_t whole_;
  std::uint64_t closest_;
  Clock::time_point begin_;
  Clock::time_point moved_;
  std::optional<std::chrono::seconds> timeout_;
};

}  // namespace vballoon::ctl
