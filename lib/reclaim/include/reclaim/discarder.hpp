// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/discarder.hpp - give a piece of a file's memory back to the host.
// Layer:  reclaim; may include base/ and gmem/.
#pragma once

#include <cstdint>

namespace vballoon::reclaim {

/// The one thing that really frees memory; an interface, so that tests can make it fail.
class Discarder {
 public:
  virtual ~Discarder() = default;

  /// @param offset, bytes  multiples of the file's page size.
  /// @return true when the range now holds no memory, and reads as zero.
  [[nodiscard]] virtual bool discard(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept = 0;
};

/// fallocate(2) with FALLOC_FL_PUNCH_HOLE: frees shared memory in every process that maps it, which
/// MADV_DONTNEED does not.
class HolePuncher final : public Discarder {
 public:
  [[nodiscard]] bool discard(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept override;
};

}  // namespace vballoon::reclaim
