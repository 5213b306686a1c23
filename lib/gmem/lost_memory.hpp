// SPDX-License-Identifier: BSD-3-Clause
//
// gmem/lost_memory.hpp - a VMM takes away the file behind its guest's memory while we look at it.
// Source: mmap(2), SIGBUS: "attempted access to a page of the buffer that lies beyond the end of
//         the mapped file". The same comes of a huge page of a file when the pool is empty.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "gmem/guest_memory.hpp"

namespace vballoon::gmem {

/// From now on a fault in memory that is under watch does not end the process: zeroes are put
/// there, so that the reading thread goes on, and the watch is told. Any other SIGBUS does what it
/// always did. Thread: any, once; later calls do nothing.
void survive_lost_memory();

/// Thread: lost() any; the others the one that changes the memory map, while no other reads there.
class MemoryWatch {
 public:
  MemoryWatch() = default;
  ~MemoryWatch() { clear(); }
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;

  /// This memory instead of what was watched before.
  /// @errors kHost when more regions are watched than there is room for.
  Result<void> watch(const GuestMemory& memory);
  /// The same for other memory that a VMM shares with us, in pages of 4 KiB.
  Result<void> watch(std::span<std::byte> shared);
  /// @pre called before the memory is unmapped: others may be mapped there next.
  void clear() noexcept;

  /// Some of it was not there when it was read or written.
  [[nodiscard]] bool lost() const noexcept { return lost_.load(std::memory_order_relaxed); }

 private:
  Result<void> add(std::span<std::byte> shared, std::uint64_t page);

  std::atomic<bool> lost_{false};   // set by the signal handler, on whatever thread
  std::vector<std::size_t> slots_;  // of the table that the signal handler reads
};

}  // namespace vballoon::gmem
