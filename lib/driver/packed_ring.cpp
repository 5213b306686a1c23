// SPDX-License-Identifier: BSD-3-Clause
//
// driver/packed_ring.cpp - the driver's side of a packed virtqueue's memory.
// Source: VIRTIO 1.2: 2.8.1 wrap counters, 2.8.6 chains, 2.8.17 adding buffers, 2.8.22 used
// buffers.
#include <fmt/format.h>

#include <atomic>
#include <deque>
#include <vector>

#include "driver/ring_format.hpp"
#include "virtq/areas.hpp"
#include "wire/packed_layout.hpp"

namespace vballoon::driver {
namespace {

using wire::PackedDescriptor;

/// A place in the ring, and the wrap counter there.
struct Cursor {
  unsigned index = 0;
  bool wrap = true;

  void advance(unsigned by, unsigned size) noexcept {
    index += by;
    if (index < size) return;
    index -= size;
    wrap = !wrap;
  }
  [[nodiscard]] std::uint16_t position() const noexcept {
    return static_cast<std::uint16_t>(index | (wrap ? wire::kPositionWrap : 0));
  }
};

class PackedRing final : public RingFormat {
 public:
  explicit PackedRing(const QueueShape& shape)
      : size_(shape.size), free_slots_(shape.size), length_(shape.size) {
    for (unsigned i = 0; i < size_; ++i) free_ids_.push_back(static_cast<std::uint16_t>(i));
  }
  Result<void> take_memory(const GuestRam& ram, Arena& arena);

  [[nodiscard]] std::size_t free_descriptors() const noexcept override { return free_slots_; }
  [[nodiscard]] std::uint16_t next_id() const noexcept override { return free_ids_.front(); }
  void add(std::span<const wire::Descriptor> elements) override;
  void fill_table(std::byte* table, std::span<const wire::Descriptor> elements) const override;
  void add_broken() override;
  void publish() noexcept override;
  [[nodiscard]] bool wants_kick() const noexcept override;
  void suppress_calls() noexcept override;
  [[nodiscard]] std::optional<wire::UsedElement> take_used(unsigned outstanding,
                                                           Violations* violations) override;
  void release(std::uint16_t id) override;
  [[nodiscard]] RingPlace place() const noexcept override;
  [[nodiscard]] bool may_stand_at(std::uint16_t position) const noexcept override;
  [[nodiscard]] std::uint16_t used_position() const noexcept override;
  [[nodiscard]] std::uint16_t avail_position() const noexcept override { return avail_.position(); }

 private:
  void put(const wire::Descriptor& element, std::uint16_t id, bool last);
  [[nodiscard]] bool used_at(const Cursor& at) const noexcept;
  /// Descriptors of the buffer that is used there.
  [[nodiscard]] unsigned length_at(const Cursor& at) const noexcept {
    const std::uint16_t id = slot(at.index).id;
    return id < size_ && length_[id] != 0 ? length_[id] : 1;
  }
  [[nodiscard]] PackedDescriptor& slot(unsigned index) const noexcept {
    return field<PackedDescriptor>(areas_.descriptors, 0)[index];
  }

  virtq::PackedAreas areas_;
  unsigned size_;
  unsigned free_slots_;
  Cursor avail_;
  Cursor used_;
  std::vector<std::uint16_t> length_;  // by id: descriptors; 0: not outstanding
  std::deque<std::uint16_t> free_ids_;
  std::optional<unsigned> first_added_;  // whose flags publish() writes, to let all be seen
  std::uint16_t first_flags_ = 0;
};

Result<void> PackedRing::take_memory(const GuestRam& ram, Arena& arena) {
  const std::size_t ring_bytes = sizeof(PackedDescriptor) * size_;
  // VIRTIO 1.2, 2.8.10.1: alignments of the three areas.
  const auto ring = take_zeroed(ram, arena, ring_bytes, 16);
  const auto driver = take_zeroed(ram, arena, sizeof(wire::EventSuppression), 4);
  const auto device = take_zeroed(ram, arena, sizeof(wire::EventSuppression), 4);
  for (const auto* taken : {&ring, &driver, &device}) {
    if (!*taken) return tl::unexpected(taken->error());
  }
  areas_.descriptors = ram.at(*ring, ring_bytes).data();
  areas_.driver_event = ram.at(*driver, sizeof(wire::EventSuppression)).data();
  areas_.device_event = ram.at(*device, sizeof(wire::EventSuppression)).data();
  areas_.size = size_;
  return {};
}

void PackedRing::add(std::span<const wire::Descriptor> elements) {
  const std::uint16_t id = free_ids_.front();
  free_ids_.pop_front();
  length_[id] = static_cast<std::uint16_t>(elements.size());
  for (std::size_t i = 0; i < elements.size(); ++i) put(elements[i], id, i + 1 == elements.size());
}

/// One descriptor; the first since the last publish() is not made available yet, and the device,
/// which takes them in their order, does not come to the others.
void PackedRing::put(const wire::Descriptor& element, std::uint16_t id, bool last) {
  PackedDescriptor& at = slot(avail_.index);
  const auto flags = static_cast<std::uint16_t>(element.flags | wire::available_bits(avail_.wrap) |
                                                (last ? 0 : wire::kDescNext));
  at.addr = element.addr;
  at.len = element.len;
  at.id = id;
  if (first_added_) {
    std::atomic_ref(at.flags).store(flags, std::memory_order_release);
  } else {
    first_added_ = avail_.index;
    first_flags_ = flags;
  }
  --free_slots_;
  avail_.advance(1, size_);
}

void PackedRing::fill_table(std::byte* table, std::span<const wire::Descriptor> elements) const {
  auto* const entries = field<PackedDescriptor>(table, 0);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    entries[i] = {.addr = elements[i].addr, .len = elements[i].len, .flags = elements[i].flags};
  }
}

/// A chain that goes on where nothing is available.
void PackedRing::add_broken() {
  put({}, 0, false);
}

void PackedRing::publish() noexcept {
  if (!first_added_) return;
  // Release: the device's acquire load of these flags brings along all that was added.
  std::atomic_ref(slot(*first_added_).flags).store(first_flags_, std::memory_order_release);
  first_added_.reset();
}

bool PackedRing::wants_kick() const noexcept {
  // The flags must be out before the device's wish is read (2.8.17.4): else both sides may sleep.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  auto* const events = field<wire::EventSuppression>(areas_.device_event, 0);
  const auto flags = std::atomic_ref(events->flags).load(std::memory_order_relaxed);
  return (flags & wire::kEventsMask) != wire::kEventsDisable;
}

void PackedRing::suppress_calls() noexcept {
  field<wire::EventSuppression>(areas_.driver_event, 0)->flags = wire::kEventsDisable;
}

std::optional<wire::UsedElement> PackedRing::take_used(unsigned /*outstanding*/,
                                                       Violations* /*violations*/) {
  if (!used_at(used_)) return std::nullopt;
  const PackedDescriptor& at = slot(used_.index);
  const wire::UsedElement element{.id = at.id,
                                  .len = (at.flags & wire::kDescWrite) != 0 ? at.len : 0};
  // The device goes on behind the buffer's own descriptors (2.8.6).
  used_.advance(length_at(used_), size_);
  return element;
}

bool PackedRing::used_at(const Cursor& at) const noexcept {
  // Acquire: pairs with the device's release store; the other fields are visible behind it.
  const auto flags = std::atomic_ref(slot(at.index).flags).load(std::memory_order_acquire);
  constexpr std::uint16_t kBoth = wire::kPackedAvail | wire::kPackedUsed;
  return (flags & kBoth) == wire::used_bits(at.wrap);
}

std::uint16_t PackedRing::used_position() const noexcept {
  Cursor at = used_;
  for (unsigned seen = 0; seen < size_ && used_at(at);) {
    const unsigned length = length_at(at);
    at.advance(length, size_);
    seen += length;
  }
  return at.position();
}

void PackedRing::release(std::uint16_t id) {
  free_slots_ += length_[id];
  length_[id] = 0;
  free_ids_.push_back(id);
}

RingPlace PackedRing::place() const noexcept {
  return {.descriptors = areas_.descriptors,
          .driver = areas_.driver_event,
          .device = areas_.device_event,
          .begin = wire::kPackedBegin};
}

/// As many descriptors behind our next one as a ring may hold, at most.
bool PackedRing::may_stand_at(std::uint16_t position) const noexcept {
  const unsigned index = position & ~unsigned{wire::kPositionWrap};
  const bool wrap = (position & wire::kPositionWrap) != 0;
  if (index >= size_) return false;
  return wrap == avail_.wrap ? index <= avail_.index : index >= avail_.index;
}

}  // namespace

Result<std::unique_ptr<RingFormat>> make_packed_ring(const GuestRam& ram, Arena& arena,
                                                     const QueueShape& shape) {
  if (shape.size == 0 || shape.size > wire::kMaxQueueSize) {
    return fail(Code::kInvalidArgument,
                fmt::format("queue size {} is not in [1, {}]", shape.size, wire::kMaxQueueSize));
  }
  auto ring = std::make_unique<PackedRing>(shape);
  if (auto taken = ring->take_memory(ram, arena); !taken) return tl::unexpected(taken.error());
  return ring;
}

}  // namespace vballoon::driver
