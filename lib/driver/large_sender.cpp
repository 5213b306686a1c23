// SPDX-License-Identifier: BSD-3-Clause
#include "driver/large_sender.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"

namespace vballoon::driver {
namespace {

using wire::large::Header;
using wire::large::kAddressBytes;

/// The longest message: RELEASE of as many pages as there can be, and its count.
constexpr std::size_t kSlotBytes =
    sizeof(Header) + kAddressBytes * wire::large::kMaxPages + kAddressBytes;
constexpr std::uint64_t kSlotAlign = 64;
/// Neither an address that a driver adds nor a count.
constexpr std::byte kUnwritten{0xA5};
/// Segments of a message at most.
constexpr std::size_t kSegments = 2;

}  // namespace

LargeSender::LargeSender(std::vector<Slot> slots) : slots_(std::move(slots)) {
  for (std::uint64_t i = slots_.size(); i-- > 0;) free_.push_back(i);
}

Result<LargeSender> LargeSender::create(const GuestRam& ram, Arena& arena, unsigned depth) {
  VB_CHECK(depth > 0);
  std::vector<Slot> slots(depth);
  for (Slot& slot : slots) {
    const auto gpa = arena.take(kSlotBytes, kSlotAlign);
    if (!gpa) return tl::unexpected(gpa.error());
    slot.gpa = *gpa;
    slot.bytes = ram.at(*gpa, kSlotBytes);
  }
  return LargeSender(std::move(slots));
}

bool LargeSender::ready(const DriverQueue& queue) const noexcept {
  return !free_.empty() && queue.free_descriptors() >= kSegments;
}

void LargeSender::add(DriverQueue& queue, const LargeMessage& message) {
  const std::uint64_t number = free_.back();
  free_.pop_back();
  Slot& slot = slots_[number];
  slot.readable = sizeof(Header) + message.body.size();
  VB_CHECK(slot.readable + message.room <= slot.bytes.size());
  std::memcpy(slot.bytes.data(), &message.header, sizeof(Header));
  std::ranges::copy(message.body, slot.bytes.begin() + sizeof(Header));
  std::ranges::fill(slot.bytes.subspan(slot.readable, message.room), kUnwritten);
  slot.answer = {.kind = message.kind,
                 .shift = message.shift,
                 .room = message.room,
                 .pages = {message.pages.begin(), message.pages.end()}};
  const Gpa writable{slot.gpa.value + slot.readable};
  const std::array<Segment, kSegments> segments{
      Segment{slot.gpa, static_cast<std::uint32_t>(slot.readable), false},
      Segment{writable, message.room, true}};
  VB_CHECK(queue.add(std::span(segments).first(message.room == 0 ? 1 : 2), number).has_value());
}

LargeAnswer LargeSender::settle(const Used& used) {
  Slot& slot = slots_[used.cookie];
  free_.push_back(used.cookie);
  LargeAnswer answer = std::move(slot.answer);
  answer.written = used.written;
  answer.latency = used.latency;
  const auto wrote = slot.bytes.subspan(slot.readable, std::min(used.written, answer.room));
  if (answer.kind == MessageKind::kWithdraw) {
    answer.pages.resize(wrote.size() / kAddressBytes);
    const auto whole = wrote.first(answer.pages.size() * kAddressBytes);
    std::ranges::copy(whole, std::as_writable_bytes(std::span(answer.pages)).begin());
  } else if (answer.kind == MessageKind::kRelease && wrote.size() == sizeof(answer.count)) {
    std::memcpy(&answer.count, wrote.data(), sizeof(answer.count));
  }
  return answer;
}

}  // namespace vballoon::driver
