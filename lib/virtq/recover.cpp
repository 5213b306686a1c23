// SPDX-License-Identifier: BSD-3-Clause
//
// virtq/recover.cpp - a ring whose owner was killed goes on where its mark says.
#include <bit>
#include <cstring>

#include "base/copy_once.hpp"
#include "virtq/queue.hpp"
#include "virtq/readable.hpp"
#include "virtq/shared_memory.hpp"

namespace vballoon::virtq {
namespace {

bool readable(const SplitAreas& areas, const gmem::GuestMemory& memory) noexcept {
  return areas.size != 0 && areas.size <= wire::kMaxQueueSize && std::has_single_bit(areas.size) &&
         aligned(areas.avail, 2) && aligned(areas.used, 4) &&
         memory.maps(areas.avail, wire::avail_ring_bytes(areas.size)) &&
         memory.maps(areas.used, wire::used_ring_bytes(areas.size));
}

std::optional<Recovered> recover_split(const SplitAreas& areas, const Mark& mark) noexcept {
  const auto staged = static_cast<std::uint16_t>(mark.about - mark.published);
  if (staged > areas.size) return std::nullopt;
  const std::uint16_t used = load16(areas.used + wire::kUsedIdxOffset, __ATOMIC_ACQUIRE);
  if (used == mark.detail) return Recovered{mark.about, true};
  if (used == static_cast<std::uint16_t>(mark.detail - staged)) {
    return Recovered{mark.published, true};
  }
  return std::nullopt;
}

/// One place in a packed ring.
class Slot {
 public:
  Slot(const PackedAreas& areas, std::uint16_t position) noexcept
      : at_(areas.descriptors + sizeof(wire::PackedDescriptor) * index_of(position)),
        wrap_((position & wire::kPositionWrap) != 0) {}

  [[nodiscard]] static unsigned index_of(std::uint16_t position) noexcept {
    return position & ~unsigned{wire::kPositionWrap};
  }
  /// As the driver made it available on this lap, and not used since.
  [[nodiscard]] bool available() const noexcept {
    const std::uint16_t flags =
        load16(at_ + offsetof(wire::PackedDescriptor, flags), __ATOMIC_ACQUIRE);
    return (flags & (wire::kPackedAvail | wire::kPackedUsed)) == wire::available_bits(wrap_);
  }
  /// As this side left it. All zeroes are what a new ring has: the flags are those of every second
  /// lap.
  [[nodiscard]] bool used_as(std::uint16_t id) const noexcept {
    const auto descriptor = load_once<wire::PackedDescriptor>(at_);
    const bool zero = descriptor.flags == 0 && descriptor.id == 0 && descriptor.addr == 0;
    return (descriptor.flags & (wire::kPackedAvail | wire::kPackedUsed)) ==
               wire::used_bits(wrap_) &&
           descriptor.id == id && !zero;
  }
  void describe(std::uint16_t id) const noexcept {
    const std::uint32_t written = 0;
    std::memcpy(at_ + offsetof(wire::PackedDescriptor, len), &written, sizeof(written));
    std::memcpy(at_ + offsetof(wire::PackedDescriptor, id), &id, sizeof(id));
  }
  void use() const noexcept {
    store16(at_ + offsetof(wire::PackedDescriptor, flags), wire::used_bits(wrap_),
            __ATOMIC_SEQ_CST);
  }

 private:
  std::byte* at_;
  bool wrap_;
};

/// A ring of zeroes that its driver filled, and no device served, has this flag nowhere: the device
/// sets it, and the driver on the second lap.
bool was_served(const PackedAreas& areas) noexcept {
  for (unsigned i = 0; i < areas.size; ++i) {
    const std::byte* const at = areas.descriptors + sizeof(wire::PackedDescriptor) * i;
    const std::uint16_t flags =
        load16(at + offsetof(wire::PackedDescriptor, flags), __ATOMIC_RELAXED);
    if ((flags & wire::kPackedUsed) != 0) return true;
  }
  return false;
}

/// While the first of them is available the driver has seen none: it takes them one after the
/// other. All but the last are written whole, but for the flags of the first.
std::optional<Recovered> recover_packed(const PackedAreas& areas, const Mark& mark) noexcept {
  for (const std::uint16_t position : {mark.published, mark.about, mark.detail}) {
    if (Slot::index_of(position) >= areas.size) return std::nullopt;
  }
  const Slot first(areas, mark.published);
  const Slot last(areas, mark.detail);
  if (mark.settled() || !first.available()) {
    const bool shows = mark.detail != mark.about && last.used_as(mark.id);
    return Recovered{mark.about, shows || was_served(areas)};
  }
  last.describe(mark.id);
  if (mark.detail != mark.published) last.use();
  first.use();
  return Recovered{mark.about, true};
}

}  // namespace

std::optional<Recovered> recover(const QueueAreas& areas, const Mark& mark,
                                 const gmem::GuestMemory& memory) noexcept {
  if (const auto* const packed = std::get_if<PackedAreas>(&areas)) {
    return readable(*packed, memory) ? recover_packed(*packed, mark) : std::nullopt;
  }
  const SplitAreas& split = *std::get_if<SplitAreas>(&areas);
  return readable(split, memory) ? recover_split(split, mark) : std::nullopt;
}

}  // namespace vballoon::virtq
