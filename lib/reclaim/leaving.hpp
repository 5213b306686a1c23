// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/leaving.hpp - the pages that one message takes out of the balloon, for the next process
//                       where this one is killed before the driver sees the answer.
// Thread: the owner of the data path.
//
// A driver that names its pages names them again then. Where the device chose them, the next
// process would choose others, and these would be nobody's. So they are noted before they leave,
// with the place of the message in its ring: where the ring goes on there, the answer was not seen.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>

#include "reclaim/page_run.hpp"

namespace vballoon::reclaim {

class Leaving {
 public:
  static constexpr std::size_t kMost = 512;
  static constexpr std::size_t kWords = 1 + kMost;

  Leaving() noexcept = default;
  /// @param words  kWords that outlive the process; or none: nothing is noted.
  explicit Leaving(std::span<std::uint64_t> words) noexcept : words_(words) {}

  /// The next page of the answer. @pre fewer than kMost since clear()
  void add(PageRun page) noexcept {
    if (words_.empty()) return;
    words_[1 + count_++] = page.first;
  }
  /// Those pages leave now. @param position  of the message in its ring
  void begin(std::uint16_t position, unsigned kind) noexcept {
    if (words_.empty()) return;
    set(kValid | std::uint64_t{count_} << kCountBit | std::uint64_t{kind} << kKindBit | position);
  }
  /// The driver has seen the answer, or there is none.
  void clear() noexcept {
    count_ = 0;
    if (!words_.empty() && words_[0] != 0) set(0);
  }

  /// Calls visit(first 4 KiB page, kind) for each page of an answer that was not seen.
  /// @param position  where the same driver's ring goes on
  template <typename Visit>
  void for_each_unseen(std::uint16_t position, Visit visit) const {
    const std::uint64_t head = words_.empty() ? 0 : words_[0];
    if ((head & kValid) == 0 || static_cast<std::uint16_t>(head) != position) return;
    const std::uint64_t count = std::min<std::uint64_t>(head >> kCountBit & 0x3ff, kMost);
    for (std::uint64_t i = 0; i < count; ++i) {
      visit(words_[1 + i], static_cast<unsigned>(head >> kKindBit & 0xf));
    }
  }

 private:
  static constexpr std::uint64_t kValid = std::uint64_t{1} << 63;
  static constexpr unsigned kCountBit = 32;
  static constexpr unsigned kKindBit = 16;

  /// All that comes before it in the program is stored by then.
  void set(std::uint64_t head) noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    __atomic_store_n(words_.data(), head, __ATOMIC_RELEASE);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }

  std::span<std::uint64_t> words_;
  std::uint32_t count_ = 0;
};

}  // namespace vballoon::reclaim
