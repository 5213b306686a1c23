// SPDX-License-Identifier: BSD-3-Clause
#include "support/packed_ring.hpp"

#include <cstddef>
#include <cstring>

namespace vballoon::test {
namespace {

using wire::PackedDescriptor;

std::vector<PackedDescriptor> described(const std::vector<Piece>& pieces) {
  std::vector<PackedDescriptor> chain;
  for (const Piece& piece : pieces) {
    const std::uint16_t flags = piece.device_writes ? wire::kDescWrite : 0;
    chain.push_back({piece.gpa.value, piece.bytes, 0, flags});
  }
  return chain;
}

}  // namespace

PackedRing::PackedRing(const GuestRam& ram, Gpa base, unsigned size)
    : ram_(ram), base_(base), size_(size) {}

Gpa PackedRing::driver_event() const {
  const std::uint64_t bytes = size_ * sizeof(PackedDescriptor);
  return Gpa{base_.value + (bytes + kPageSize - 1) / kPageSize * kPageSize};
}
Gpa PackedRing::device_event() const {
  return Gpa{driver_event().value + kPageSize};
}

virtq::PackedAreas PackedRing::areas() const {
  return {ram_.at(base_), ram_.at(driver_event()), ram_.at(device_event()), size_};
}

void PackedRing::begin_at(std::uint16_t position) {
  next_ = {position & 0x7fffU, (position & wire::kPositionWrap) != 0};
  used_ = next_;
  // What the laps before left: all of it used, by this one's counter up to here.
  for (unsigned i = 0; i < size_; ++i) {
    const bool wrap = i < next_.index ? next_.wrap : !next_.wrap;
    set(i, {0x1000, 0, 0, wire::used_bits(wrap)});
  }
}

std::uint16_t PackedRing::position() const noexcept {
  return static_cast<std::uint16_t>(next_.index | (next_.wrap ? wire::kPositionWrap : 0));
}

/// The flags are stored as an atomic: the device loads them at any time.
void PackedRing::set(unsigned i, const PackedDescriptor& descriptor) {
  std::memcpy(ram_.at(at(i)), &descriptor, offsetof(PackedDescriptor, flags));
  set_flags(i, descriptor.flags);
}
std::uint16_t* PackedRing::flags_at(unsigned i) const {
  return reinterpret_cast<std::uint16_t*>(ram_.at(at(i)) + offsetof(PackedDescriptor, flags));
}
void PackedRing::set_flags(unsigned i, std::uint16_t flags) {
  __atomic_store_n(flags_at(i), flags, __ATOMIC_RELEASE);
}
void PackedRing::set_indirect(Gpa table, unsigned i, const PackedDescriptor& descriptor) {
  ram_.put(Gpa{table.value + i * sizeof(PackedDescriptor)}, descriptor);
}
PackedDescriptor PackedRing::get(unsigned i) const {
  return ram_.get<PackedDescriptor>(at(i));
}

void PackedRing::set_driver_events(std::uint16_t flags) {
  ram_.put(driver_event(), wire::EventSuppression{0, flags});
}
std::uint16_t PackedRing::device_events() const {
  return ram_.get<wire::EventSuppression>(device_event()).flags;
}

void PackedRing::advance(Cursor* cursor, unsigned by) const {
  cursor->index += by;
  if (cursor->index < size_) return;
  cursor->index -= size_;
  cursor->wrap = !cursor->wrap;
}

void PackedRing::add(std::uint16_t id, const std::vector<PackedDescriptor>& chain) {
  const Cursor first = next_;
  std::uint16_t first_flags = 0;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    PackedDescriptor descriptor = chain[i];
    const bool last = i + 1 == chain.size();
    const auto flags = static_cast<std::uint16_t>(
        descriptor.flags | wire::available_bits(next_.wrap) | (last ? 0 : wire::kDescNext));
    // Until the first is available, none is.
    descriptor.flags = i == 0 ? get(next_.index).flags : flags;
    if (i == 0) first_flags = flags;
    // 2.8.6: the id counts in the last one alone.
    descriptor.id = last ? id : static_cast<std::uint16_t>(0xdead);
    set(next_.index, descriptor);
    advance(&next_, 1);
  }
  lengths_.emplace(id, static_cast<unsigned>(chain.size()));
  set_flags(first.index, first_flags);
}

void PackedRing::send(std::uint16_t id, const std::vector<Piece>& pieces) {
  add(id, described(pieces));
}

void PackedRing::send_indirect(std::uint16_t id, Gpa table, const std::vector<Piece>& pieces) {
  const auto entries = described(pieces);
  for (unsigned i = 0; i < entries.size(); ++i) set_indirect(table, i, entries[i]);
  const auto bytes = static_cast<std::uint32_t>(entries.size() * sizeof(PackedDescriptor));
  add(id, {{table.value, bytes, 0, wire::kDescIndirect}});
}

std::vector<std::uint32_t> PackedRing::collect() {
  constexpr std::uint16_t kBoth = wire::kPackedAvail | wire::kPackedUsed;
  std::vector<std::uint32_t> ids;
  for (;;) {
    const std::uint16_t flags = __atomic_load_n(flags_at(used_.index), __ATOMIC_ACQUIRE);
    if ((flags & kBoth) != wire::used_bits(used_.wrap)) return ids;
    const std::uint32_t id = get(used_.index).id;
    const auto out = lengths_.find(id);
    if (out == lengths_.end()) return ids;
    ids.push_back(id);
    advance(&used_, out->second);
    lengths_.erase(out);
  }
}

}  // namespace vballoon::test
