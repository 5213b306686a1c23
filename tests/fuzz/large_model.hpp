// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/large_model.hpp - whose each page is, by what an honest driver of device 13 sent and
//                              was told, message by message in the order in which they are used.
// Source: docs/device-13.md, DEV-6 to DEV-10, DEV-15 to DEV-19.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "base/check.hpp"
#include "driver/large_page_set.hpp"

namespace vballoon::fuzz {

using driver::LargePage;

class LargeModel {
 public:
  /// Whether a page is wholly memory that may go into a balloon, now.
  using IsMemory = std::function<bool(LargePage)>;

  [[nodiscard]] std::uint64_t bytes() const { return set_.bytes(); }
  [[nodiscard]] const driver::LargePageSet& set() const { return set_; }

  /// From when the message is available (7.1).
  void offer(std::span<const LargePage> pages) { count(pages, 1); }
  /// The message was used: the pages of it that may be are in the balloon now (DEV-15).
  void add(std::span<const LargePage> pages, const IsMemory& is_memory) {
    count(pages, -1);
    for (const LargePage& page : pages) {
      if (page.at.value % page.bytes() == 0 && is_memory(page) && !touches(page)) set_.add(page);
    }
  }
  /// DEV-9, DEV-10.
  void hand_back(LargePage page) { VB_CHECK(set_.take(page)); }
  /// DEV-19: one that is not in the balloon counts as handed back.
  void release(LargePage page) { static_cast<void>(set_.take(page)); }

  /// Memory went away, and what is in it with it.
  void drop_unless(const IsMemory& is_memory) {
    for (const LargePage& page : set_.pages()) {
      if (!is_memory(page)) static_cast<void>(set_.take(page));
    }
  }
  void reset() {
    set_.clear();
    offered_.clear();
  }

  /// DEV-6: only between an ADD that names it and its being handed back.
  void check_discard(std::uint64_t address) const {
    VB_CHECK(covered(address) || offered_.contains(address));
  }

 private:
  void count(std::span<const LargePage> pages, int by) {
    for (const LargePage& page : pages) {
      if (page.at.value % kPageSize != 0 || page.bytes() > kLargest) continue;
      for (std::uint64_t at = 0; at < page.bytes(); at += kPageSize) {
        const auto one = offered_.emplace(page.at.value + at, 0).first;
        if ((one->second += by) <= 0) offered_.erase(one);
      }
    }
  }
  [[nodiscard]] bool covered(std::uint64_t address) const {
    return set_.holds({Gpa{address & ~(kPageSize - 1)}, kPageShift}) ||
           set_.holds({Gpa{address & ~(kLargest - 1)}, kLargestShift});
  }
  [[nodiscard]] bool touches(LargePage page) const {
    for (std::uint64_t at = 0; at < page.bytes(); at += kPageSize) {
      if (covered(page.at.value + at)) return true;
    }
    return false;
  }

  static constexpr unsigned kLargestShift = 21;
  static constexpr std::uint64_t kLargest = std::uint64_t{1} << kLargestShift;

  driver::LargePageSet set_;
  std::map<std::uint64_t, int> offered_;  // by address: messages that are out and name it
};

}  // namespace vballoon::fuzz
