// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/discarder.hpp - give a piece of a file's memory back to the host, or fetch it again.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vballoon::reclaim {

/// The one thing that really frees memory; an interface, so that tests can make it fail.
class Discarder {
 public:
  virtual ~Discarder() = default;

  /// @param offset, bytes  multiples of the file's page size.
  /// @return true when the range now holds no memory, and reads as zero.
  [[nodiscard]] virtual bool discard(int fd, std::uint64_t offset,
                                     std::uint64_t bytes) noexcept = 0;

  /// Puts memory where holes are; what is there already stays as it is.
  /// @param mapping  where the range is mapped in this process, for a file whose huge pages shall
  ///         stay whole; else null. No page-table entry of this process is left behind: it would
  ///         make every later hole dearer.
  /// @return false when the host has no memory for it.
  [[nodiscard]] virtual bool provide(int fd, std::uint64_t offset, std::uint64_t bytes,
                                     std::byte* mapping) noexcept;

  /// Bytes of memory that the file takes now; 0 where that cannot be said.
  [[nodiscard]] virtual std::uint64_t allocated(int fd) noexcept;
};

/// fallocate(2) with FALLOC_FL_PUNCH_HOLE: frees shared memory in every process that maps it, which
/// MADV_DONTNEED does not.
class HolePuncher final : public Discarder {
 public:
  [[nodiscard]] bool discard(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept override;
};

}  // namespace vballoon::reclaim
