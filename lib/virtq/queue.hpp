// SPDX-License-Identifier: BSD-3-Clause
//
// virtq/queue.hpp - device side of one virtqueue, split or packed: its user need not know which.
// Knows nothing of balloons or DPDK.
//
// A branch on the layout at each call, and no virtual function: pop() and publish() are a few loads
// and stores, and a poll lcore asks has_work() of every ring that something happened on.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include "base/owner.hpp"
#include "virtq/areas.hpp"
#include "virtq/chain_walk.hpp"
#include "virtq/mark.hpp"
#include "virtq/packed_queue.hpp"
#include "virtq/split_queue.hpp"

namespace vballoon::virtq {

/// Where the ring lies. Which of them it is was negotiated (VIRTIO_F_RING_PACKED).
using QueueAreas = std::variant<SplitAreas, PackedAreas>;

/// Where the parts of a ring lie in guest memory. @pre they are inside it
[[nodiscard]] std::array<GpaRange, 3> ranges_of(const QueueAreas& areas,
                                                const gmem::GuestMemory& memory) noexcept;

/// Where a ring goes on.
struct Standing {
  std::uint16_t position = 0;
  bool unused = false;  ///< a driver that was reset would begin like this
};

/// What is known of a ring that the front end starts at `position`: that, and what lies in the
/// ring. A front end that knows no packed rings (User Mode Linux 6.1) says 0 where 2.8.1 has a
/// driver begin, at index 0 with wrap counter 1; the ring itself tells the two apart.
/// @return `position` as it is where the areas are not wholly inside `memory`; open() says why.
[[nodiscard]] Standing look_at(const QueueAreas& areas, std::uint16_t position,
                               const gmem::GuestMemory& memory) noexcept;

/// Where a ring goes on after its owner died.
struct Recovered {
  std::uint16_t position = 0;
  bool sure = false;  ///< the ring shows that it is the one that the mark is of
};

/// By the mark that it left. What it had staged in a packed ring is published now, for it cannot be
/// taken again: its descriptors are overwritten. In a split ring it is taken again.
/// A packed ring shows that it was served by its USED flags, or, at the end of every second lap, by
/// the newest buffer: its descriptor is as it was left. A ring that was zeroed for another driver
/// has neither; nor one of which nothing was ever used, or that stands where the first lap begins
/// and was filled whole since. Of these nothing can be told.
/// @return nothing where the mark cannot be of this ring: its place is not in the ring, or of a
///         split ring the used index is neither the one before nor the one after.
[[nodiscard]] std::optional<Recovered> recover(const QueueAreas& areas, const Mark& mark,
                                               const gmem::GuestMemory& memory) noexcept;

class Queue {
  // Ahead of its users, for its type is deduced. Not std::visit: this is one compare, and the split
  // ring's side is laid out first.
  template <typename Do>
  decltype(auto) ask(Do action) noexcept {
    if (auto* const split = std::get_if<SplitQueue>(&ring_)) [[likely]]
      return action(*split);
    return action(*std::get_if<PackedQueue>(&ring_));
  }
  template <typename Do>
  decltype(auto) ask(Do action) const noexcept {
    if (const auto* const split = std::get_if<SplitQueue>(&ring_)) [[likely]]
      return action(*split);
    return action(*std::get_if<PackedQueue>(&ring_));
  }

 public:
  /// @errors as SplitQueue::open() and PackedQueue::open().
  [[nodiscard]] static Result<Queue> open(const QueueAreas& areas, std::uint16_t position,
                                          const gmem::GuestMemory& memory);

  /// Whose it is from now on; it outlives the queue. At first it is nobody's.
  void belongs_to(const Owner& owner) noexcept { owner_ = &owner; }

  /// See SplitQueue for what each of these does.
  [[nodiscard]] bool has_work() const noexcept {
    VB_OWNED(*owner_);
    return ask([](const auto& ring) { return ring.has_work(); });
  }
  [[nodiscard]] std::size_t pop(std::span<Head> out) noexcept {
    VB_OWNED(*owner_);
    return ask([out](auto& ring) { return ring.pop(out); });
  }
  /// @pre  The oldest that was popped and not yet returned: buffers are used in order
  /// (2.7.9, 2.8.8).
  void stage(Head head, std::uint32_t written) noexcept {
    VB_OWNED(*owner_);
    ask([head, written](auto& ring) { ring.stage(head, written); });
  }
  [[nodiscard]] bool publish() noexcept {
    VB_OWNED(*owner_);
    return ask([](auto& ring) { return ring.publish(); });
  }
  void keep_mark(const MarkWords& words) noexcept {
    ask([&words](auto& ring) { ring.keep_mark(words); });
  }
  void disable_kicks() noexcept {
    ask([](auto& ring) { ring.disable_kicks(); });
  }
  void log_writes(DirtyLog log, const gmem::GuestMemory& memory) noexcept {
    ask([log, &memory](auto& ring) { ring.log_writes(log, memory); });
  }
  [[nodiscard]] ChainWalk walk(Head head, const gmem::GuestMemory& memory) const noexcept {
    return ask([head, &memory](const auto& ring) { return ChainWalk(ring, memory, head); });
  }
  [[nodiscard]] QueueFault fault() const noexcept {
    return ask([](const auto& ring) { return ring.fault(); });
  }
  [[nodiscard]] unsigned size() const noexcept {
    return ask([](const auto& ring) { return ring.size(); });
  }
  [[nodiscard]] std::uint16_t position() const noexcept {
    return ask([](const auto& ring) { return ring.position(); });
  }

  /// A word that changes when there may be something to pop.
  [[nodiscard]] const std::uint16_t* watched() const noexcept {
    return ask([](const auto& ring) { return ring.watched(); });
  }
  /// What that word says while there is nothing. Of a packed ring it is as the word reads now: ask
  /// has_work() afterwards, as for a split ring whose index moved meanwhile.
  [[nodiscard]] std::uint16_t at_rest() const noexcept;

 private:
  explicit Queue(const SplitQueue& ring) noexcept : ring_(ring) {}
  explicit Queue(const PackedQueue& ring) noexcept : ring_(ring) {}

  std::variant<SplitQueue, PackedQueue> ring_;
  const Owner* owner_ = &kUnowned;
};

}  // namespace vballoon::virtq
