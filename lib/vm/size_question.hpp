// SPDX-License-Identifier: BSD-3-Clause
//
// vm/size_question.hpp - when to ask a driver for the size of its balloon, and how.
// Pure: the caller passes the time and does the step that is due.
// Thread: the device's lock guards all but due(), which any thread may call.
//
// A driver writes its size only after a move. A driver that this daemon has not seen move (the
// daemon was restarted, or the VM migrated) is told its target, and moves if its size is another.
// If its size is the target already, the driver says nothing, like a driver that does not listen.
// So the driver is shown another target for a moment.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace vballoon::vm {

class SizeQuestion {
 public:
  /// How long to wait for a driver to move by itself. The wait doubles each time that the driver is
  /// asked in vain.
  static constexpr std::uint64_t kPatienceMs = 1000;
  static constexpr std::uint64_t kMostPatienceMs = 64 * kPatienceMs;
  /// How long the other target is shown. A driver that is awake answers within milliseconds.
  static constexpr std::uint64_t kAnswerMs = 500;
  /// The difference between both targets, in pages of 4 KiB: one page of any guest.
  static constexpr std::uint32_t kStep = 16;

  enum class Step { kShowOther, kShowTrue };

  /// The driver was told its target, and its size is not known. A later call does not put off what
  /// is due.
  void begin(std::uint64_t now_ms) noexcept {
    asking_ = false;
    patience_ms_ = kPatienceMs;
    const std::uint64_t due = due_ms_.load(std::memory_order_relaxed);
    due_ms_.store(std::min(due, now_ms + kPatienceMs), std::memory_order_relaxed);
  }
  /// @return whether the driver is being shown the other target.
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
  /// @return the other target: a smaller one where possible, because a question should not take
  ///         memory from the guest.
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

}  // namespace vballoon::vm
