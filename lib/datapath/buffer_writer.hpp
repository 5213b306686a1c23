// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/buffer_writer.hpp - writes into what of a buffer is the device's to write, wherever it
//                              is cut into descriptors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "datapath/ring.hpp"

namespace vballoon::datapath {

/// Walks the chain anew: what the driver changed since another walk is checked again.
class BufferWriter {
 public:
  BufferWriter(const Ring& ring, virtq::Head head) noexcept
      : ring_(ring), head_(head), walk_(ring.walk(head)) {}

  /// Bytes that can be written, as far as anybody asks. Comes before any write().
  [[nodiscard]] std::uint64_t room(std::uint64_t enough) noexcept {
    virtq::ChainWalk walk = ring_.walk(head_);
    std::uint64_t bytes = 0;
    for (virtq::Segment segment; bytes < enough && walk.next(&segment);) {
      if (segment.device_writes) bytes += segment.range.bytes;
    }
    hops_ += walk.hops();
    return bytes;
  }

  /// @return false, and a part at most is written, where there is no room for all of it.
  [[nodiscard]] bool write(std::span<const std::byte> bytes) noexcept {
    while (!bytes.empty()) {
      if (rest_.bytes == 0 && !next()) return false;
      const std::size_t step = std::min<std::uint64_t>(rest_.bytes, bytes.size());
      if (!ring_.memory().write(rest_.first, bytes.first(step))) return false;
      ring_.log().mark(rest_.first, step);
      rest_.first.value += step;
      rest_.bytes -= step;
      bytes = bytes.subspan(step);
    }
    return true;
  }

  /// Descriptors that it looked at to find room().
  [[nodiscard]] std::uint32_t hops() const noexcept { return hops_; }

 private:
  [[nodiscard]] bool next() noexcept {
    virtq::Segment segment;
    while (walk_.next(&segment)) {
      if (!segment.device_writes || segment.range.bytes == 0) continue;
      rest_ = segment.range;
      return true;
    }
    return false;
  }

  const Ring& ring_;
  const virtq::Head head_;
  virtq::ChainWalk walk_;
  GpaRange rest_;  // of the present descriptor
  std::uint32_t hops_ = 0;
};

}  // namespace vballoon::datapath
