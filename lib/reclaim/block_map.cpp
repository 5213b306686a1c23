// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/block_map.hpp"

#include <bit>
#include <utility>

namespace vballoon::reclaim {
namespace {

std::uint64_t block_bytes_of(const gmem::Backing& backing) noexcept {
  return std::max(backing.huge_pages ? kThpBlockBytes : kBlockBytes, backing.host_page);
}

}  // namespace

BlockMap::Extent BlockMap::measure(const gmem::Region& region, std::uint32_t first_block) noexcept {
  const std::uint64_t block_bytes = block_bytes_of(region.backing);
  Extent extent;
  extent.first = page_of(region.first);
  extent.pages = bytes_to_pages(region.bytes);
  extent.index = region.first_index;
  extent.lead = bytes_to_pages(region.file_offset % block_bytes);
  extent.first_block = first_block;
  extent.shift = static_cast<unsigned>(std::countr_zero(bytes_to_pages(block_bytes)));
  extent.huge = region.backing.host_page > kPageSize;
  extent.can_discard = region.backing.can_discard;
  return extent;
}

BlockMap::BlockMap(std::shared_ptr<const gmem::GuestMemory> memory) : memory_(std::move(memory)) {
  for (const gmem::Region& region : memory_->regions()) {
    const Extent extent = measure(region, count_);
    const std::uint64_t blocks = (extent.lead + extent.pages - 1) >> extent.shift;
    count_ += static_cast<std::uint32_t>(blocks + 1);
    extents_.push_back(extent);
  }
}

Block BlockMap::operator[](std::uint32_t id) const noexcept {
  const Extent& extent = extent_of(id);
  const std::uint64_t start = std::uint64_t{id - extent.first_block} << extent.shift;
  const std::uint64_t inside = start > extent.lead ? start - extent.lead : 0;
  Block block;
  block.region = &memory_->regions()[static_cast<std::size_t>(&extent - extents_.data())];
  block.part = cut(extent, extent.first + inside, extent.pages - inside);
  block.run = PageRun{extent.first + inside, block.part.pages};
  return block;
}

}  // namespace vballoon::reclaim
