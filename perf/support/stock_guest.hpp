// SPDX-License-Identifier: BSD-3-Clause
//
// support/stock_guest.hpp - a driver of vballoon-driver's kind on a device of the real daemon: one
// buffer of 256 pages outstanding, as Linux has it, and many guests in one thread.
// Thread: one owner.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "driver/balloon_driver.hpp"
#include "driver/page_pool.hpp"
#include "support/vm.hpp"

namespace vballoon::perf {

struct GuestShape {
  std::uint64_t bytes = 512 * kMiB;
  driver::PageOrder order;
  std::uint64_t huge_page = 0;  ///< 2 MiB: hugetlb memory
};

class StockGuest {
 public:
  StockGuest(driver::MessageSocket socket, const GuestShape& shape, Ack ack);

  /// Pages that go in and out of the balloon.
  [[nodiscard]] std::uint64_t pages() const noexcept { return pages_.size(); }

  // --- The host's memory behind it ---

  /// Provided, and mapped by no process.
  void populate() const;
  /// Provided, and touched by this process, as by a VMM.
  void touch() const;
  [[nodiscard]] bool freed() const { return ram_.allocated_bytes() <= first_; }
  /// The limit and the baseline, by this process itself.
  void punch_all() const;
  /// @param pages  so many of them, in the order in which the driver sends them.
  void punch_by_page(std::uint64_t pages) const;

  // --- The driver ---

  /// All pages from now on, by step().
  void begin(driver::Role queue) noexcept;
  /// Pages that were not sent yet.
  [[nodiscard]] std::uint64_t left() const noexcept { return rest_.size(); }
  /// Takes back a used buffer, sends the next. @return false when all have come back.
  bool step();

 private:
  [[nodiscard]] int fd() const { return ram_.table_fds().front(); }
  void punch(std::uint64_t offset, std::uint64_t bytes) const;

  driver::GuestRam ram_;
  std::unique_ptr<driver::BalloonDriver> driver_;
  std::uint64_t first_;  // bytes below belong to the driver: its arena, and the buffer
  std::vector<Pfn> pages_;
  std::span<const Pfn> rest_;
  driver::Role role_ = driver::Role::kInflate;
};

using Fleet = std::vector<std::unique_ptr<StockGuest>>;

/// All guests at once, all of their pages.
void send_all(Fleet& fleet, driver::Role queue);
/// Until the host has all of their memory.
void inflate_all(Fleet& fleet);

}  // namespace vballoon::perf
