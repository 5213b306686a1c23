// SPDX-License-Identifier: BSD-3-Clause
//
// virtq/dirty_log.hpp - tells a VMM that migrates which of the guest's pages this side wrote to.
// Thread: the owner of a queue marks; the VMM clears, any time.
// Source: vhost-user protocol, "Migration": one bit a page of 4 KiB, in an array of bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.hpp"

namespace vballoon::virtq {

/// The log, as it is mapped here. Nothing is written down where there is none.
struct DirtyLog {
  std::byte* bits = nullptr;
  std::uint64_t bytes = 0;

  /// After the write, so that a VMM which clears a bit copies what was written. Pages behind the
  /// end of the log are none that the VMM asked for.
  void mark(Gpa first, std::uint64_t n) const noexcept {
    const std::uint64_t last = (first.value + n - 1) / kPageSize;
    for (std::uint64_t page = first.value / kPageSize; page <= last; ++page) {
      if (page / 8 >= bytes) return;
      auto* const byte = reinterpret_cast<unsigned char*>(bits + page / 8);
      __atomic_fetch_or(byte, static_cast<unsigned char>(1U << page % 8), __ATOMIC_RELEASE);
    }
  }
};

/// An area of a ring that this side writes to, by its place in guest memory.
class LoggedArea {
 public:
  LoggedArea() noexcept = default;
  LoggedArea(DirtyLog log, Gpa begin) noexcept : log_(log), begin_(begin) {}

  /// `n` bytes from `offset` on were written.
  void wrote(std::size_t offset, std::size_t n) const noexcept {
    if (log_.bits != nullptr) [[unlikely]]
      log_.mark(Gpa{begin_.value + offset}, n);
  }

 private:
  DirtyLog log_;
  Gpa begin_{};
};

}  // namespace vballoon::virtq
