// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/window.hpp - pages that are in the balloon and not yet given back: they wait for
//                      neighbours.
// Source: section 3.7 and 4 of the design. A hole costs a fixed price and a price per page, so
//         pages are gathered by block: complete blocks go at once, others wait, no longer than a
//         bound.
#pragma once

#include <cstdint>
#include <optional>

#include "base/zeroed_array.hpp"
#include "reclaim/bitmap.hpp"
#include "reclaim/block_map.hpp"

namespace vballoon::reclaim {

/// How long an incomplete block may wait. Microseconds.
struct WindowAges {
  /// Any block. Bounds how long a page stays on the host, and how long a guest that crashed and
  /// started over without a reset has nothing to fear.
  std::uint32_t longest_us = 20'000;
  /// A block whose pages already form long runs: waiting gains little but on huge pages.
  std::uint32_t long_runs_us = 2'000;
};

/// A run of at least so many pages is long: with a live vCPU 200 pages a call reach 90 % of the
/// kernel's limit.
inline constexpr std::uint64_t kLongRunPages = 200;

class Window {
 public:
  Window(const BlockMap& blocks, WindowAges ages);

  /// Pages that entered the balloon. @param complete  all of their block is in it now.
  void add(const Part& part, bool complete, std::uint64_t now_us) noexcept;

  /// Pages that left it; they will not come out of here.
  void remove(const Part& part) noexcept;

  /// Lets the blocks that have waited long enough come out.
  void age(std::uint64_t now_us) noexcept;
  /// How long until age() lets something out, or take() has something at once. @pre not empty()
  [[nodiscard]] std::uint32_t due_in_us(std::uint64_t now_us) const noexcept;
  /// Lets all of them out: somebody waits for their pages.
  void release_all() noexcept;
  /// Lets the oldest out, ready or not, until no more than `pages` are gathered.
  void shrink_to(std::uint64_t pages) noexcept;

  /// Where the run that take() would give lies. @pre any_ready()
  [[nodiscard]] const gmem::Region& next_region() const noexcept {
    return *blocks_[ready_.head].region;
  }

  /// A page that came lately and is gathered still, by its index; nothing where none is.
  [[nodiscard]] std::optional<std::uint64_t> late_page() const noexcept;

  /// The next run that is to be given back, at most one block long; it is no longer gathered.
  [[nodiscard]] std::optional<PageRun> take() noexcept;

  [[nodiscard]] bool any_ready() const noexcept { return ready_.head != kNone; }
  [[nodiscard]] std::uint64_t pages() const noexcept { return gathered_; }
  [[nodiscard]] bool empty() const noexcept { return gathered_ == 0; }
  [[nodiscard]] const Bitmap& gathered() const noexcept { return pages_; }

  /// Any thread, see ZeroedArray. @param bytes  of each table at most.
  void provide(std::uint64_t bytes) const noexcept {
    pages_.provide(bytes);
    entries_.provide(bytes);
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  /// Which list a block is in. Young and old are both in the order of their first page's arrival;
  /// a block moves from young to old when its runs turned out to be short.
  enum class Place : std::uint8_t { kNowhere, kYoung, kOld, kReady };
  /// All zero for a block that is nowhere.
  struct Entry {
    std::uint32_t since_us;  // modulo 2^32, 71 minutes: far more than a block may wait
    std::uint32_t pages;     // gathered in this block
    std::uint32_t previous;
    std::uint32_t next;
    Place place;
  };
  [[nodiscard]] std::uint32_t waited_us(std::uint32_t id, std::uint64_t now_us) const noexcept {
    return static_cast<std::uint32_t>(now_us) - entries_[id].since_us;
  }
  struct List {
    std::uint32_t head = kNone;
    std::uint32_t tail = kNone;
  };

  [[nodiscard]] List& list_of(Place place) noexcept;
  void link(std::uint32_t id, Place place) noexcept;
  void unlink(std::uint32_t id) noexcept;
  void move(std::uint32_t id, Place place) noexcept;
  [[nodiscard]] bool runs_are_long(std::uint32_t id) const noexcept;
  void gather(const Part& part) noexcept;
  [[nodiscard]] std::optional<std::uint32_t> oldest() const noexcept;

  const BlockMap& blocks_;
  const WindowAges ages_;
  Bitmap pages_;  // by page index; a subset of the ledger's
  ZeroedArray<Entry> entries_;
  List young_, old_, ready_;
  std::uint64_t gathered_ = 0;
  std::uint64_t ready_pages_ = 0;  // of these, in blocks that are to come out
};

}  // namespace vballoon::reclaim
