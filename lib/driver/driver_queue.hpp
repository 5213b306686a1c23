// SPDX-License-Identifier: BSD-3-Clause
//
// driver/driver_queue.hpp - the driver's side of one virtqueue, split or packed. It trusts no
// device.
// Thread: one owner.
// Source: VIRTIO 1.2: 2.7 and 2.8; the layouts' own files name the clauses.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "base/units.hpp"
#include "driver/arena.hpp"
#include "driver/deadline.hpp"
#include "driver/guest_ram.hpp"
#include "driver/violations.hpp"
#include "virtq/areas.hpp"
#include "wire/split_layout.hpp"

namespace vballoon::driver {

enum class WaitMode {
  kInterrupt,  ///< sleep until the device calls, as Linux does; a used buffer without a call is
               ///< a violation
  kSpin,       ///< look at the used ring again and again, calls suppressed
};

struct QueueShape {
  unsigned size = 128;  ///< descriptors: a power of two in [2, 32768]; packed, any in [1, 32768]
  unsigned indirect_entries = 0;  ///< room of one indirect table; 0: every chain is direct
  WaitMode wait = WaitMode::kInterrupt;
  bool packed = false;
  bool in_order = false;  ///< descriptors are given, and must come back, in ring order
  /// How long after its buffer a call may come. A later one counts as missing.
  std::chrono::milliseconds call_grace{1000};
};

/// Where a ring lies in this process, for SET_VRING_ADDR, and where it begins, for SET_VRING_BASE.
struct RingPlace {
  std::byte* descriptors = nullptr;
  std::byte* driver = nullptr;
  std::byte* device = nullptr;
  std::uint16_t begin = 0;
};

struct Segment {
  Gpa addr;
  std::uint32_t len = 0;
  bool device_writes = false;
};

/// One buffer that came back.
struct Used {
  std::uint16_t head = 0;
  std::uint32_t written = 0;            ///< bytes, as the device says
  std::uint64_t cookie = 0;             ///< as given to add()
  std::chrono::nanoseconds latency{0};  ///< published to seen here
};

class RingFormat;
class SplitRing;

class DriverQueue {
 public:
  ~DriverQueue();
  DriverQueue(DriverQueue&&) noexcept;
  DriverQueue& operator=(DriverQueue&&) noexcept;

  /// Lays out rings and indirect tables in the arena, all zero.
  /// @pre     ram outlives the queue.
  /// @errors  kInvalidArgument for a size that cannot be or an arena that is too small; kHost.
  [[nodiscard]] static Result<DriverQueue> create(const GuestRam& ram, Arena& arena,
                                                  const QueueShape& shape);

  /// Describes one buffer; the device does not see it before publish().
  /// @param segments  device-readable ones first (2.7.4.2); at least one.
  /// @return  its id, or nothing while there are too few free descriptors.
  std::optional<std::uint16_t> add(std::span<const Segment> segments, std::uint64_t cookie = 0);

  /// Makes all added buffers available with one release store; kicks unless the device asked not
  /// to.
  void publish();

  /// The next used buffer, if there is one.
  [[nodiscard]] std::optional<Used> poll();

  /// As poll(), but waits. Nothing when the deadline passed. A buffer of which no call told, and
  /// none a little later, is a violation.
  [[nodiscard]] std::optional<Used> wait(Deadline deadline);

  /// The backend is gone. The call for the last used buffer may be missing for that reason: it is
  /// no violation yet, but owed by the next backend.
  void excuse_missing_call() noexcept;
  /// Waits for the call that the next backend owes, if any. A call that does not come is a
  /// violation.
  void expect_owed_call(Deadline deadline) noexcept;

  // --- By hand, for tests of what a device makes of it. ---

  /// A buffer whose descriptors are taken as they are; only NEXT and next are set as add() does.
  std::optional<std::uint16_t> add_described(std::span<const wire::Descriptor> elements);
  /// What no device can go on with; publish() makes it available like the others.
  void add_broken();
  /// A descriptor that add() does not take any more: the caller writes it himself through areas().
  /// @pre for this and the next three: a split ring.
  [[nodiscard]] std::optional<std::uint16_t> reserve();
  /// Puts any number into the avail ring, a reserved head or nonsense. One below size counts as
  /// outstanding.
  void add_raw(std::uint16_t head);
  [[nodiscard]] const virtq::SplitAreas& areas() const noexcept;
  /// Buffers made available so far, modulo 2^16.
  [[nodiscard]] std::uint16_t avail_index() const noexcept;

  [[nodiscard]] RingPlace place() const noexcept;
  /// Whether a device may truthfully say that it stopped there.
  [[nodiscard]] bool may_stand_at(std::uint16_t position) const noexcept;
  /// Where a device stands that is gone, as the ring says; and where the next buffer goes.
  [[nodiscard]] std::uint16_t used_position() const noexcept;
  [[nodiscard]] std::uint16_t avail_position() const noexcept;
  [[nodiscard]] bool packed() const noexcept { return shape_.packed; }
  [[nodiscard]] unsigned size() const noexcept { return shape_.size; }
  [[nodiscard]] unsigned outstanding() const noexcept { return outstanding_; }
  [[nodiscard]] std::size_t free_descriptors() const noexcept;
  [[nodiscard]] const Violations& violations() const noexcept { return violations_; }
  [[nodiscard]] int kick_fd() const noexcept { return kick_.get(); }
  [[nodiscard]] int call_fd() const noexcept { return call_.get(); }

 private:
  using Clock = std::chrono::steady_clock;

  struct Chain {
    Clock::time_point published{};
    std::uint64_t cookie = 0;
    bool out = false;
  };

  explicit DriverQueue(const QueueShape& shape);
  Result<void> take_ring(const GuestRam& ram, Arena& arena);
  Result<void> take_tables(const GuestRam& ram, Arena& arena);
  [[nodiscard]] wire::Descriptor write_table(std::span<const wire::Descriptor> elements) const;
  void note(std::uint16_t id, std::uint64_t cookie);
  std::optional<Used> take_back(const wire::UsedElement& element);
  void check_order(std::uint16_t id);
  std::optional<Used> spin(Deadline deadline);
  std::optional<Used> sleep(Deadline deadline);
  std::optional<Used> late_call(std::optional<Used> used);
  [[nodiscard]] bool called(Deadline deadline) const noexcept;

  std::unique_ptr<RingFormat> ring_;
  SplitRing* split_ = nullptr;  // the same, where it is one
  unsigned outstanding_ = 0;
  std::vector<Chain> chains_;               // by id
  std::vector<std::uint16_t> added_;        // ids since the last publish()
  std::deque<std::uint16_t> order_;         // ids that are out, where their order counts
  std::vector<wire::Descriptor> elements_;  // of the buffer at hand
  Violations violations_;
  bool uncalled_ = false;  // wait() returned a buffer last, and no call had told of it
  bool call_owed_ = false;
  QueueShape shape_;
  std::byte* tables_ = nullptr;
  Gpa tables_gpa_;
  UniqueFd kick_;
  UniqueFd call_;
};

}  // namespace vballoon::driver
