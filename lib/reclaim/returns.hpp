// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/returns.hpp - pages that a driver has asked back and not got yet: where the host's memory
//                       is to be there first, it is fetched, and known for each whether it came.
// Thread: the owner of the data path.
// Source: docs/device-13.md, DEV-11 and DEV-12.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "reclaim/handover.hpp"
#include "reclaim/page_run.hpp"

namespace vballoon::reclaim {

class Returns {
 public:
  struct Page {
    PageRun run;
    bool inside = true;    ///< in the balloon; else it only has its place in the answer
    bool refused = false;  ///< the host has no memory for it
  };

  /// Room for so many; none is added before. Allocates.
  void provide(std::size_t pages) {
    pages_.reserve(pages);
    room_ = pages;
  }
  /// All of one answer, in its order. @pre there is room, and the last one was cleared
  void add(PageRun run, bool inside);
  [[nodiscard]] bool has(PageRun run) const noexcept {
    return std::any_of(pages_.begin(), pages_.end(),
                       [run](const Page& page) { return page.run == run; });
  }
  /// Those that were added. @pre handed_over(), and what was handed over has come back
  [[nodiscard]] std::span<const Page> pages() const noexcept { return pages_; }
  void clear() noexcept {
    pages_.clear();
    next_ = 0;
    fetched_ = 0;
  }

  /// Whether none waits to be handed over.
  [[nodiscard]] bool handed_over() const noexcept { return next_ == pages_.size(); }

  /// Hands over what waits, as far as the pass's share goes.
  /// @param everywhere  fetch memory of any kind; else only huge pages, whose pool may be empty.
  void pump(const Gather& gather, Handover& handover, bool everywhere) noexcept;

  /// What became of a batch of these. @pre of the account kReturned
  void learn(const Batch& batch, const gmem::GuestMemory& memory) noexcept;

 private:
  bool pump_page(const Page& page, const Gather& gather, Handover& handover,
                 bool everywhere) noexcept;

  std::vector<Page> pages_;
  std::size_t room_ = 0;
  std::size_t next_ = 0;       // the first that is not handed over
  std::uint64_t fetched_ = 0;  // of that one, pages of 4 KiB that are
};

}  // namespace vballoon::reclaim
