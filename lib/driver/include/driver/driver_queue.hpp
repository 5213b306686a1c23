// SPDX-License-Identifier: BSD-3-Clause
//
// driver/driver_queue.hpp - the driver's side of one split virtqueue, which trusts no device.
// Layer:  driver; may include base/ and virtq/ (the layout alone). Thread: one owner.
// Source: VIRTIO 1.2: 2.7.13 adding buffers, 2.7.13.3 order of publication, 2.7.14 used buffers.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "base/units.hpp"
#include "driver/arena.hpp"
#include "driver/deadline.hpp"
#include "driver/guest_ram.hpp"
#include "virtq/split_layout.hpp"

namespace vballoon::driver {

enum class WaitMode {
  kInterrupt,  ///< sleep until the device calls, as Linux does; a used buffer without a call is
               ///< a violation
  kSpin,       ///< look at the used ring again and again, calls suppressed
};

struct QueueShape {
  unsigned size = 128;            ///< descriptors, a power of two in [2, 32768]
  unsigned indirect_entries = 0;  ///< room of one indirect table; 0: every chain is direct
  WaitMode wait = WaitMode::kInterrupt;
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

/// What the device did wrong. Each is counted and survived: the buffer in question stays lost.
struct Violations {
  std::uint64_t unknown_id = 0;       ///< a used id that is no descriptor of this queue
  std::uint64_t not_outstanding = 0;  ///< a used id that was never given, or came back twice
  std::uint64_t index_jump = 0;       ///< the used index went further than buffers were out
  std::uint64_t missing_call = 0;     ///< a used buffer of which no call told

  [[nodiscard]] std::uint64_t total() const noexcept {
    return unknown_id + not_outstanding + index_jump + missing_call;
  }
  friend Violations operator+(const Violations& a, const Violations& b) noexcept {
    return {.unknown_id = a.unknown_id + b.unknown_id,
            .not_outstanding = a.not_outstanding + b.not_outstanding,
            .index_jump = a.index_jump + b.index_jump,
            .missing_call = a.missing_call + b.missing_call};
  }
};

class DriverQueue {
 public:
  /// Lays out rings and indirect tables in the arena, all zero.
  /// @pre     ram outlives the queue.
  /// @errors  kInvalidArgument for a size that cannot be or an arena that is too small; kHost.
  [[nodiscard]] static Result<DriverQueue> create(const GuestRam& ram, Arena& arena,
                                                  const QueueShape& shape);

  /// Describes one buffer; the device does not see it before publish().
  /// @param segments  device-readable ones first (2.7.4.2); at least one.
  /// @return  its head, or nothing while there are too few free descriptors.
  std::optional<std::uint16_t> add(std::span<const Segment> segments, std::uint64_t cookie = 0);

  /// Makes all added buffers available with one release store; kicks unless the device asked not
  /// to.
  void publish();

  /// The next used buffer, if there is one.
  [[nodiscard]] std::optional<Used> poll();

  /// As poll(), but waits. Nothing when the deadline passed.
  [[nodiscard]] std::optional<Used> wait(Deadline deadline);

  /// Takes a descriptor away from add(), for good: the caller writes it himself through areas().
  [[nodiscard]] std::optional<std::uint16_t> reserve();
  /// Puts any number into the avail ring, a reserved head or nonsense; publish() makes it available
  /// like the others. One below size counts as outstanding.
  void add_raw(std::uint16_t head);

  [[nodiscard]] const virtq::SplitAreas& areas() const noexcept { return areas_; }
  [[nodiscard]] unsigned size() const noexcept { return areas_.size; }
  [[nodiscard]] unsigned outstanding() const noexcept { return outstanding_; }
  [[nodiscard]] std::size_t free_descriptors() const noexcept { return free_.size(); }
  /// Buffers made available so far, modulo 2^16.
  [[nodiscard]] std::uint16_t avail_index() const noexcept { return avail_index_; }
  [[nodiscard]] const Violations& violations() const noexcept { return violations_; }
  [[nodiscard]] int kick_fd() const noexcept { return kick_.get(); }
  [[nodiscard]] int call_fd() const noexcept { return call_.get(); }

 private:
  using Clock = std::chrono::steady_clock;

  struct Chain {
    Clock::time_point published{};
    std::uint64_t cookie = 0;
    std::uint16_t descriptors = 0;  // 0: not outstanding
    bool raw = false;
  };

  explicit DriverQueue(const QueueShape& shape);
  Result<void> take_memory(const GuestRam& ram, Arena& arena);
  std::uint16_t add_direct(std::span<const Segment> segments);
  std::uint16_t add_indirect(std::span<const Segment> segments);
  void enqueue(std::uint16_t head, const Chain& chain);
  [[nodiscard]] virtq::Descriptor* table_of(std::uint16_t head) const noexcept;
  std::optional<Used> take_back(const virtq::UsedElement& element);
  void release(std::uint16_t head);
  std::optional<Used> spin(Deadline deadline);
  std::optional<Used> sleep(Deadline deadline);
  std::optional<Used> late_call(std::optional<Used> used);
  [[nodiscard]] bool called(Deadline deadline) const noexcept;

  virtq::SplitAreas areas_;
  std::uint16_t avail_index_ = 0;
  std::uint16_t last_used_ = 0;
  unsigned outstanding_ = 0;
  std::vector<Chain> chains_;         // by head
  std::vector<std::uint16_t> next_;   // by descriptor: ours, as the device may not tell us
  std::vector<std::uint16_t> free_;   // descriptors
  std::vector<std::uint16_t> added_;  // heads since the last publish()
  Violations violations_;
  QueueShape shape_;
  std::byte* tables_ = nullptr;
  Gpa tables_gpa_;
  UniqueFd kick_;
  UniqueFd call_;
};

}  // namespace vballoon::driver
