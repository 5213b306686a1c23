// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/ledger.hpp - which pages are in the balloon: one bit a page.
// Layer:  reclaim; may include base/ and gmem/. Thread: the owner of the device's data path.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/units.hpp"
#include "gmem/guest_memory.hpp"
#include "reclaim/page_run.hpp"

namespace vballoon::reclaim {

/// Pages inflated and not yet deflated. Where the host's own pages are larger than 4 KiB it also
/// counts, per host page, how many of its 4 KiB pages are in.
class Ledger {
 public:
  /// An empty ledger over this memory; keeps it alive.
  explicit Ledger(std::shared_ptr<const gmem::GuestMemory> memory);

  /// Takes over from `old` every page that this memory still has.
  void adopt(const Ledger& old);

  /// What insert() found.
  struct Inserted {
    bool in_memory = false;  ///< the page exists; false: nothing was changed
    bool fresh = false;      ///< it was not in before
    PageRun whole;           ///< what can now be freed: the page, or the host page it completed
  };
  [[nodiscard]] Inserted insert(Pfn pfn) noexcept;

  /// What erase() found.
  enum class Erased { kOutsideMemory, kNotIn, kErased };
  Erased erase(Pfn pfn) noexcept;

  [[nodiscard]] bool contains(Pfn pfn) const noexcept;

  /// The first run of pages inside `within` that are all in. Empty run: there is none.
  [[nodiscard]] PageRun first_run(PageRun within) const noexcept;

  /// 4 KiB pages in the balloon.
  [[nodiscard]] std::uint64_t population() const noexcept { return population_; }
  /// Of these, pages in a host page that is not whole: in the balloon, but not yet freeable.
  [[nodiscard]] std::uint64_t stranded() const noexcept { return stranded_; }

  [[nodiscard]] const gmem::GuestMemory& memory() const noexcept { return *memory_; }
  [[nodiscard]] std::shared_ptr<const gmem::GuestMemory> share_memory() const noexcept {
    return memory_;
  }

 private:
  /// Where a page is counted: nothing where host pages are 4 KiB.
  struct HostPage {
    std::uint32_t* inside = nullptr;  // its pages that are in
    std::uint32_t full = 0;           // 4 KiB pages in a whole one
    PageRun run;
  };
  [[nodiscard]] HostPage host_page(const gmem::Region& region, std::uint64_t page) noexcept;
  [[nodiscard]] std::optional<std::uint64_t> index_of(std::uint64_t page) const noexcept;

  std::vector<std::uint64_t> bits_;
  std::uint64_t population_ = 0;
  std::uint64_t stranded_ = 0;
  std::shared_ptr<const gmem::GuestMemory> memory_;
  std::vector<std::vector<std::uint32_t>> counts_;  // per region; empty where host pages are 4 KiB
};

}  // namespace vballoon::reclaim
