// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/progress.hpp - whether a balloon still moves towards its target.
// Pure: the caller passes the time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace vballoon::ctl {

enum class Verdict {
  kGoing,
  kReached,
  kStalled,     ///< the balloon came no closer to the target for kStallAfter
  kSilent,      ///< it never came closer, for kSilentAfter
  kTimedOut,    ///< the limit of the command line is over
  kRetargeted,  ///< another target was set meanwhile
  kRests,       ///< the driver says that it does no more for this target, for now
};

/// Only a distance to the target that is smaller than any before counts as a move. So a guest that
/// swings around a target which it cannot reach does not count as moving.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kStallAfter{10};
  /// A driver that answers begins at once. The law takes one for stalled after as long.
  static constexpr std::chrono::seconds kSilentAfter{5};

  /// @param actual  nothing: the guest has not said its size. The target is not reached then.
  Progress(std::uint64_t target, std::optional<std::uint64_t> actual, Clock::time_point now,
           std::optional<std::chrono::seconds> timeout);

  [[nodiscard]] Verdict see(std::uint64_t target, std::optional<std::uint64_t> actual,
                            Clock::time_point now);

  /// @return how far the balloon has come from the size at which it was first seen.
  [[nodiscard]] std::uint64_t done_bytes(std::optional<std::uint64_t> actual) const noexcept;
  [[nodiscard]] std::uint64_t whole_bytes() const noexcept { return whole_; }
  [[nodiscard]] Clock::time_point begin() const noexcept { return begin_; }

 private:
  [[nodiscard]] std::uint64_t distance(std::uint64_t actual) const noexcept;

  void begin_at(std::optional<std::uint64_t> actual) noexcept;

  std::uint64_t target_;
  bool seen_ = false;     // the guest has said its size
  bool stepped_ = false;  // the balloon has come closer, or was said to be there at all
  std::uint64_t whole_ = 0;
  std::uint64_t closest_ = 0;
  Clock::time_point begin_;
  Clock::time_point moved_;
  std::optional<std::chrono::seconds> timeout_;
};

}  // namespace vballoon::ctl
