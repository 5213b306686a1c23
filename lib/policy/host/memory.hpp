// SPDX-License-Identifier: BSD-3-Clause
//
// policy/host/memory.hpp - how much memory the host has, and how much of it is available.
// Source: Linux, Documentation/filesystems/proc.rst (meminfo, vmstat, zoneinfo), admin-guide/
//         cgroup-v1/memory.rst, admin-guide/cgroup-v2.rst, admin-guide/mm/hugetlbpage.rst.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "policy/host/paths.hpp"

namespace vballoon::policy {

/// The memory of one NUMA node, in bytes.
struct NodeMemory {
  unsigned node = 0;
  std::uint64_t total = 0;
  std::uint64_t free = 0;
  std::uint64_t file = 0;  // page cache on the LRU lists; not shared memory, which needs swap to go
  std::uint64_t watermark_low = 0;  // 0 where zoneinfo does not name the node
  std::uint64_t watermark_high = 0;
  /// The kernel has no MemAvailable of a node. This is computed as MemAvailable is, without slab.
  std::uint64_t available = 0;
};

/// A pool of huge pages. The counts are pages, not bytes.
struct HugePagePool {
  std::optional<unsigned> node;  // nothing: the whole machine's pool, where sysfs shows no nodes
  std::uint64_t page_bytes = 0;
  std::uint64_t pages = 0;  // surplus included
  std::uint64_t free = 0;
  std::uint64_t surplus = 0;  // beyond the pool's size; these go back to free memory
};

/// The memory cgroup that counts as the host, in bytes.
struct CgroupFigures {
  /// The lowest limit among the cgroup's and its parents'; nothing when none of them has a limit.
  std::optional<std::uint64_t> limit;
  std::uint64_t usage = 0;
  std::uint64_t file = 0;  // the page cache within usage, which can go; no shared memory
  /// What may still be charged, once page cache is dropped, before a limit on the way to the root
  /// is reached.
  std::optional<std::uint64_t> room;
  std::optional<std::uint64_t> swap;  // what of the cgroup is swapped out now
  /// Since the cgroup was made. Version 1 and old kernels count only pages that came back.
  std::optional<std::uint64_t> swap_in_bytes;
  std::optional<std::uint64_t> swap_out_bytes;
};

/// The host's memory, in bytes. Swap, watermarks, pools and nodes are always the machine's.
struct MemoryFigures {
  std::uint64_t total = 0;      // with a cgroup: at most its limit
  std::uint64_t free = 0;       // with a cgroup: at most what is left of its limit
  std::uint64_t available = 0;  // with a cgroup: at most its room
  std::uint64_t swap_total = 0;
  std::uint64_t swap_free = 0;
  std::optional<std::uint64_t> swap_in_bytes;   // since boot
  std::optional<std::uint64_t> swap_out_bytes;  // since boot
  std::optional<std::uint64_t> watermark_low;   // all zones together
  std::optional<std::uint64_t> watermark_high;
  std::vector<NodeMemory> nodes;
  std::vector<HugePagePool> huge_pages;
  std::optional<CgroupFigures> cgroup;
};

/// Keeps its files open and reads them anew each time, but the watermarks only every 64th time.
/// Thread: one at a time.
class MemoryReader {
 public:
  struct Options {
    Paths paths{};
    /// Folder of the memory cgroup, version 1 or 2, that counts as the host; empty: the machine.
    std::string cgroup{};
  };

  /// Looks for nodes and pools now; a node that is plugged in later is not seen.
  /// @errors kHost when /proc/meminfo cannot be read; kNotFound when the cgroup does not exist;
  ///         kInvalidArgument when the folder is no cgroup, or a cgroup that does not count memory.
  [[nodiscard]] static Result<MemoryReader> open(Options options);

  MemoryReader(MemoryReader&&) noexcept;
  MemoryReader& operator=(MemoryReader&&) noexcept;
  ~MemoryReader();

  /// @errors kNotFound, with the cgroup's name, while the cgroup is gone. Each call looks whether
  ///         the cgroup is back. The others as for open().
  [[nodiscard]] Result<MemoryFigures> read();
  /// Reads the machine's figures without the cgroup.
  [[nodiscard]] Result<MemoryFigures> read_machine();

 private:
  struct Files;
  explicit MemoryReader(std::unique_ptr<Files> files) noexcept;

  std::unique_ptr<Files> files_;
};

}  // namespace vballoon::policy
