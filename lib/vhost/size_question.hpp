// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/size_question.hpp - when a driver is asked for the size of its balloon.
// Pure: the caller brings the time and does what is due.
// Thread: the device's lock guards all of it, but due(), which anybody may ask.
//
// A driver writes its size after a move, and at no other time. One that goes on where this daemon
// has not seen it move is told its target, and moves if it is elsewhere; one that is there already
// says nothing, and looks as one that does not hear. It is shown another target for a moment.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace vballoon::vhost {

class SizeQuestion {
 public:
  /// How long a driver has to move by itself; each time that it is asked in vain, twice of it.
  static constexpr std::uint64_t kPatienceMs = 1000;
  static constexpr std::uint64_t kMostPatienceMs = 64 * kPatienceMs;
  /// How long the other target stands: a driver that is awake answers within milliseconds.
  static constexpr std::uint64_t kAnswerMs = 500;
  /// By which it is another, in pages of 4 KiB: one page of any guest.
  static constexpr std::uint32_t kStep = 16;

  enum class Step { kShowOther, kShowTrue };

  /// It was told its target, and its size is not known. How often it is told puts nothing off.
  void begin(std::uint64_t now_ms) noexcept {
    asking_ = false;
    patience_ms_ = kPatienceMs;
    const std::uint64_t due = due_ms_.load(std::memory_order_relaxed);
    due_ms_.store(std::min(due, now_ms + kPatienceMs), std::memory_order_relaxed);
  }
  /// @return whether it sees another target than the true one.
  bool end() noexcept {
    due_ms_.store(kNever, std::memory_order_relaxed);
    const bool asked = asking_;
    asking_ = false;
    return asked;
  }
  [[nodiscard]] bool due(std::uint64_t now_ms) const noexcept {
    return now_ms >= due_ms_.load(std::memory_order_relaxed);
  }
  /// @pre due()
  Step next(std::uint64_t now_ms) noexcept {
    asking_ = !asking_;
    if (!asking_) patience_ms_ = std::min(2 * patience_ms_, kMostPatienceMs);
    due_ms_.store(now_ms + (asking_ ? kAnswerMs : patience_ms_), std::memory_order_relaxed);
    return asking_ ? Step::kShowOther : Step::kShowTrue;
  }
  /// The smaller one where there is one: a guest is not pressed by a question.
  [[nodiscard]] static std::uint32_t other(std::uint32_t target) noexcept {
    return target >= kStep ? target - kStep : target + kStep;
  }
  [[nodiscard]] bool asking() const noexcept { return asking_; }

 private:
  static constexpr std::uint64_t kNever = UINT64_MAX;
  std::atomic<std::uint64_t> due_ms_{kNever};
  std::uint64_t patience_ms_ = kPatienceMs;
  bool asking_ = false;
};

}  // namespace vballoon::vhost
