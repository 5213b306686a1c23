// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/pfn_reader.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"

namespace vballoon::datapath {

std::size_t PfnReader::read(std::span<Pfn> out) noexcept {
  std::array<std::byte, 1024> bytes;
  // One number may be completed by the first bytes, beside those that the bytes make themselves.
  const std::size_t room = std::min(bytes.size(), (out.size() - 1) * sizeof(std::uint32_t));
  while (rest_.bytes != 0 || next_readable()) {
    const std::size_t step = std::min<std::uint64_t>(rest_.bytes, room);
    const std::span<std::byte> piece(bytes.data(), step);
    VB_CHECK(memory_->read(rest_.first, piece));
    rest_.first.value += step;
    rest_.bytes -= step;
    const std::size_t count = decoder_.decode(piece, out);
    if (count != 0) return count;
  }
  counters_->odd_bytes.add(decoder_.finish());
  return 0;
}

bool PfnReader::next_readable() noexcept {
  virtq::Segment segment;
  while (walk_.next(&segment)) {
    if (segment.device_writes) {
      counters_->wrong_direction.add(1);
    } else if (segment.range.bytes != 0) {
      rest_ = segment.range;
      return true;
    }
  }
  return false;
}

}  // namespace vballoon::datapath
