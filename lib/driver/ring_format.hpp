// SPDX-License-Identifier: BSD-3-Clause
//
// driver/ring_format.hpp - how a driver's buffers travel through the memory of a ring.
// Thread: one owner, that of the queue.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>

#include "base/result.hpp"
#include "driver/arena.hpp"
#include "driver/driver_queue.hpp"
#include "driver/guest_ram.hpp"
#include "driver/violations.hpp"
#include "wire/split_layout.hpp"

namespace vballoon::driver {

/// One layout of a virtqueue. A buffer is known by its id, a number below the queue's size.
class RingFormat {
 public:
  RingFormat() = default;
  RingFormat(const RingFormat&) = delete;
  RingFormat& operator=(const RingFormat&) = delete;
  virtual ~RingFormat() = default;

  [[nodiscard]] virtual std::size_t free_descriptors() const noexcept = 0;
  /// The id that the next add() takes. @pre a descriptor is free.
  [[nodiscard]] virtual std::uint16_t next_id() const noexcept = 0;
  /// Describes one buffer, unseen by the device until publish(). Of `elements` NEXT and next are
  /// set here, all else is taken as it is. @pre so many descriptors are free.
  virtual void add(std::span<const wire::Descriptor> elements) = 0;
  /// Writes an indirect table, likewise.
  virtual void fill_table(std::byte* table, std::span<const wire::Descriptor> elements) const = 0;
  /// Adds what breaks the rules of the ring, so that no device can go on with it.
  virtual void add_broken() = 0;

  virtual void publish() noexcept = 0;
  [[nodiscard]] virtual bool wants_kick() const noexcept = 0;
  virtual void suppress_calls() noexcept = 0;

  /// The next used buffer, if there is one; it need not be one of ours.
  [[nodiscard]] virtual std::optional<wire::UsedElement> take_used(unsigned outstanding,
                                                                   Violations* violations) = 0;
  /// Its descriptors are free again. @pre it came back.
  virtual void release(std::uint16_t id) = 0;

  [[nodiscard]] virtual RingPlace place() const noexcept = 0;
  [[nodiscard]] virtual bool may_stand_at(std::uint16_t position) const noexcept = 0;
  /// Before it all buffers are used, as the ring says now; what poll() did not take yet included.
  [[nodiscard]] virtual std::uint16_t used_position() const noexcept = 0;
  /// Where the next buffer is made available.
  [[nodiscard]] virtual std::uint16_t avail_position() const noexcept = 0;
};

/// A field in guest memory. No alignment warning: the arena aligned it.
template <typename T>
T* field(std::byte* bytes, std::size_t offset) noexcept {
  return static_cast<T*>(static_cast<void*>(bytes + offset));
}

inline Result<Gpa> take_zeroed(const GuestRam& ram, Arena& arena, std::size_t bytes,
                               std::size_t align) {
  return arena.take(bytes, align).map([&ram, bytes](Gpa gpa) {
    std::memset(ram.at(gpa, bytes).data(), 0, bytes);
    return gpa;
  });
}

/// @errors kInvalidArgument for a size that cannot be, or an arena that is too small.
[[nodiscard]] Result<std::unique_ptr<RingFormat>> make_packed_ring(const GuestRam& ram,
                                                                   Arena& arena,
                                                                   const QueueShape& shape);

}  // namespace vballoon::driver
