// SPDX-License-Identifier: BSD-3-Clause
//
// policy/host/memory.hpp - how much memory the host has, and how much of it is to be had.
// Figures alone: what follows from them is for others to say.
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

/// Of one NUMA node, in bytes.
struct NodeMemory {
  unsigned node = 0;
  std::uint64_t total = 0;
  std::uint64_t free = 0;
  std::uint64_t file = 0;  // page cache on the LRU lists; no shared memory, which needs swap to go
  std::uint64_t watermark_low = 0;  // 0 where zoneinfo does not say
  std::uint64_t watermark_high = 0;
  /// Made as the kernel makes MemAvailable, but without slab: it has no such figure of a node.
  std::uint64_t available = 0;
};

/// A pool of huge pages. Pages, not bytes.
struct HugePagePool {
  std::optional<unsigned> node;  // nothing: of the whole machine, where sysfs shows no nodes
  std::uint64_t page_bytes = 0;
  std::uint64_t pages = 0;  // surplus included
  std::uint64_t free = 0;
  std::uint64_t surplus = 0;  // beyond the pool's size; these go back to free memory
};

/// Of the memory cgroup that is taken for the host, in bytes.
struct CgroupFigures {
  /// The lowest of its own limit and its parents'; nothing when none of them has one.
  std::optional<std::uint64_t> limit;
  std::uint64_t usage = 0;
  std::uint64_t file = 0;  // of usage: page cache that can go. Shared memory is not in it.
  /// What may be charged until some limit on the way to the root is met, page cache given up.
  std::optional<std::uint64_t> room;
  std::optional<std::uint64_t> swap;  // of it that is swapped out now
  /// Since it was made. Version 1 and old kernels count pages that came back only.
  std::optional<std::uint64_t> swap_in_bytes;
  std::optional<std::uint64_t> swap_out_bytes;
};

/// In bytes. Swap, watermarks, pools and nodes are always the machine's.
struct MemoryFigures {
  std::uint64_t total = 0;      // of a cgroup: no more than its limit
  std::uint64_t free = 0;       // of a cgroup: no more than is left of its limit
  std::uint64_t available = 0;  // of a cgroup: no more than its room
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

/// Keeps its files open and reads them anew each time; watermarks, every 64th time.
/// Thread: one at a time.
class MemoryReader {
 public:
  struct Options {
    Paths paths{};
    /// Folder of a memory cgroup, version 1 or 2, whose limit is "the host"; empty: the machine.
    std::string cgroup{};
  };

  /// Nodes and pools are those of this moment; one that is plugged in later is not seen.
  /// @errors kHost when /proc/meminfo cannot be read; kNotFound when the cgroup does not exist,
  ///         kInvalidArgument when the folder is none, or none that counts memory.
  [[nodiscard]] static Result<MemoryReader> open(Options options);

  MemoryReader(MemoryReader&&) noexcept;
  MemoryReader& operator=(MemoryReader&&) noexcept;
  ~MemoryReader();

  /// @errors kNotFound, naming it, while the cgroup is gone: each call looks whether it is back.
  ///         Whatever else open() says.
  [[nodiscard]] Result<MemoryFigures> read();
  /// The same without the cgroup, for who wants to go on without it.
  [[nodiscard]] Result<MemoryFigures> read_machine();

 private:
  struct Files;
  explicit MemoryReader(std::unique_ptr<Files> files) noexcept;

  std::unique_ptr<Files> files_;
};

}  // namespace vballoon::policy
