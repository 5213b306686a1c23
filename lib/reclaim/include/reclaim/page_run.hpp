// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/page_run.hpp - runs of neighbouring pages, merged as they arrive.
// Layer:  reclaim; may include base/ and gmem/. Thread: the owner of the device's data path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/units.hpp"

namespace vballoon::reclaim {

/// Guest pages [first, first + pages): guest-physical address / 4096, 64 bits wide.
struct PageRun {
  std::uint64_t first = 0;
  std::uint64_t pages = 0;

  [[nodiscard]] std::uint64_t end() const noexcept { return first + pages; }
  friend bool operator==(PageRun, PageRun) = default;
};

/// Collects runs. A driver's pages mostly come in order, up or down, so each page is first held
/// against the run before it; what that leaves apart is sorted once, when the list is drained.
class RunList {
 public:
  /// @param capacity  runs; room for all of them is taken here, never later.
  explicit RunList(std::size_t capacity);

  /// @return false, with nothing taken, when a new run would be needed and there is no room.
  [[nodiscard]] bool add(PageRun run) noexcept;

  /// Sorts by address and joins neighbours and overlaps. @return the runs, until the next add().
  [[nodiscard]] std::span<const PageRun> merged() noexcept;

  void clear() noexcept { runs_.clear(); }
  [[nodiscard]] bool empty() const noexcept { return runs_.empty(); }

 private:
  std::vector<PageRun> runs_;
  std::size_t capacity_;
};

}  // namespace vballoon::reclaim
