// SPDX-License-Identifier: BSD-3-Clause
#include "support/driver_ring.hpp"

namespace vballoon::test {
namespace {

using wire::Descriptor;
using wire::UsedElement;

std::uint64_t whole_pages(std::uint64_t bytes) {
  return (bytes + kPageSize - 1) / kPageSize * kPageSize;
}
Gpa plus(Gpa gpa, std::uint64_t bytes) {
  return Gpa{gpa.value + bytes};
}

std::uint16_t flags_of(const Piece& piece, bool last) {
  return static_cast<std::uint16_t>((piece.device_writes ? wire::kDescWrite : 0) |
                                    (last ? 0 : wire::kDescNext));
}

}  // namespace

DriverRing::DriverRing(const GuestRam& ram, Gpa base, unsigned size)
    : ram_(ram), base_(base), size_(size) {}

std::uint64_t DriverRing::bytes_needed(unsigned size) {
  return whole_pages(wire::descriptor_table_bytes(size)) +
         whole_pages(wire::avail_ring_bytes(size)) + whole_pages(wire::used_ring_bytes(size));
}

Gpa DriverRing::avail() const noexcept {
  return plus(base_, whole_pages(wire::descriptor_table_bytes(size_)));
}
Gpa DriverRing::used() const noexcept {
  return plus(avail(), whole_pages(wire::avail_ring_bytes(size_)));
}

virtq::SplitAreas DriverRing::areas() const {
  return {ram_.at(descriptors()), ram_.at(avail()), ram_.at(used()), size_};
}

void DriverRing::begin_at(std::uint16_t index) {
  set_avail_idx(index);
  set_used_idx(index);
  collected_ = index;
}

void DriverRing::set_descriptor(unsigned i, const Descriptor& descriptor) {
  ram_.put(plus(descriptors(), i * sizeof(Descriptor)), descriptor);
}
void DriverRing::set_indirect(Gpa table, unsigned i, const Descriptor& descriptor) {
  ram_.put(plus(table, i * sizeof(Descriptor)), descriptor);
}
void DriverRing::set_avail_slot(unsigned slot, std::uint16_t head) {
  ram_.put(plus(avail(), sizeof(wire::AvailHeader) + 2 * (slot % size_)), head);
}
void DriverRing::set_avail_idx(std::uint16_t idx) {
  auto* at = reinterpret_cast<std::uint16_t*>(ram_.at(plus(avail(), 2)));
  // The write barrier of 2.7.13.3: slots and descriptors before the index.
  __atomic_store_n(at, idx, __ATOMIC_RELEASE);
}
void DriverRing::set_avail_flags(std::uint16_t flags) {
  __atomic_store_n(reinterpret_cast<std::uint16_t*>(ram_.at(avail())), flags, __ATOMIC_SEQ_CST);
}
void DriverRing::set_used_idx(std::uint16_t idx) {
  ram_.put(plus(used(), 2), idx);
}

std::uint16_t DriverRing::avail_idx() const {
  return ram_.get<std::uint16_t>(plus(avail(), 2));
}
std::uint16_t DriverRing::used_idx() const {
  return __atomic_load_n(reinterpret_cast<std::uint16_t*>(ram_.at(plus(used(), 2))),
                         __ATOMIC_ACQUIRE);
}
std::uint16_t DriverRing::used_flags() const {
  return ram_.get<std::uint16_t>(used());
}
UsedElement DriverRing::used_slot(unsigned slot) const {
  return ram_.get<UsedElement>(
      plus(used(), sizeof(wire::UsedHeader) + sizeof(UsedElement) * (slot % size_)));
}

void DriverRing::offer(std::uint16_t head) {
  const std::uint16_t idx = avail_idx();
  set_avail_slot(idx, head);
  set_avail_idx(static_cast<std::uint16_t>(idx + 1));
}

void DriverRing::send(std::uint16_t head, const std::vector<Piece>& pieces) {
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto at = static_cast<unsigned>(head + i) % size_;
    const auto next = static_cast<std::uint16_t>((at + 1) % size_);
    const std::uint16_t flags = flags_of(pieces[i], i + 1 == pieces.size());
    set_descriptor(at, {pieces[i].gpa.value, pieces[i].bytes, flags, next});
  }
  offer(head);
}

void DriverRing::send_indirect(std::uint16_t head, Gpa table, const std::vector<Piece>& pieces) {
  for (unsigned i = 0; i < pieces.size(); ++i) {
    const std::uint16_t flags = flags_of(pieces[i], i + 1 == pieces.size());
    set_indirect(table, i,
                 {pieces[i].gpa.value, pieces[i].bytes, flags, static_cast<std::uint16_t>(i + 1)});
  }
  const auto bytes = static_cast<std::uint32_t>(pieces.size() * sizeof(Descriptor));
  set_descriptor(head, {table.value, bytes, wire::kDescIndirect, 0});
  offer(head);
}

std::vector<std::uint32_t> DriverRing::collect() {
  std::vector<std::uint32_t> heads;
  const std::uint16_t end = used_idx();
  while (collected_ != end) heads.push_back(used_slot(collected_++).id);
  return heads;
}

}  // namespace vballoon::test
