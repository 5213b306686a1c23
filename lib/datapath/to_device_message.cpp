// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/to_device_message.hpp"

#include <algorithm>

namespace vballoon::datapath {

using wire::large::Header;

void ToDeviceMessage::read(const Ring& ring, virtq::Head head) noexcept {
  readable_ = writable_ = 0;
  std::size_t copied = 0;
  virtq::ChainWalk walk = ring.walk(head);
  for (virtq::Segment segment; walk.next(&segment);) {
    (segment.device_writes ? writable_ : readable_) += segment.range.bytes;
    if (segment.device_writes) continue;
    const std::size_t step = std::min<std::uint64_t>(segment.range.bytes, kMost - copied);
    if (!ring.memory().read(segment.range.first, std::span(bytes_).subspan(copied, step))) break;
    copied += step;
  }
  hops_ = walk.hops();
  fault_ = walk.fault();
  body_ = copied - std::min(copied, sizeof(Header));
  if (!has_header()) return;
  std::memcpy(&header_, bytes_.data(), sizeof(Header));
  std::memmove(bytes_.data(), bytes_.data() + sizeof(Header), body_);
}

}  // namespace vballoon::datapath
