// SPDX-License-Identifier: BSD-3-Clause
//
// vm/takeover.hpp - whether the guest that is connected is the one whose balloon was left, by an
//                   earlier daemon or an earlier connection.
// Pure, but for one look at the ring in guest memory.
// Source: section 9 of the design; vhost-user protocol, "Inflight I/O tracking".
#pragma once

#include <cstdint>
#include <optional>

#include "gmem/guest_memory.hpp"
#include "virtq/mark.hpp"
#include "virtq/queue.hpp"
#include "vm/ring_state.hpp"
#include "vm/state/device_state.hpp"
#include "wire/features.hpp"

namespace vballoon::vm {

/// As a RingRecord has it.
[[nodiscard]] constexpr std::uint32_t ring_layout(wire::Features acked) noexcept {
  return acked.has(wire::Feature::kRingPacked) ? kPackedRing : kSplitRing;
}

/// Nothing where there is none, or one of a ring of another layout.
[[nodiscard]] std::optional<virtq::Mark> mark_of(const std::optional<RingRecord>& record,
                                                 std::uint32_t layout) noexcept;

/// What is left of one ring.
struct MarksLeft {
  std::optional<virtq::Mark> ours{};    ///< in the daemon's state file
  std::optional<virtq::Mark> theirs{};  ///< in the front end's in-flight region
  bool front_end_keeps = false;         ///< there is such a region
};

/// How a ring begins.
struct RingStart {
  std::uint16_t position = 0;
  bool unused = false;   ///< it looks as a new driver's would
  bool ours = false;     ///< it goes on where this ledger was left, as far as is said
  bool resumed = false;  ///< that shows, too: the driver is the one that went before
};

/// @param base  where the front end says that it begins.
[[nodiscard]] RingStart find_start(const RingState& ring, const MarksLeft& left,
                                   const virtq::QueueAreas& areas, std::uint16_t base,
                                   const gmem::GuestMemory& memory) noexcept;

/// What shows of the guest that is connected.
struct Evidence {
  bool same_features = false;
  bool deflate_began = false;        ///< the deflate ring was served before
  std::optional<RingStart> inflate;  ///< nothing where the front end has not described it
  std::optional<RingStart> deflate;
};

enum class Verdict : std::uint8_t {
  kSameDriver,
  kSameOrNew,  ///< nothing came on the inflate ring yet, so the balloon of either is empty
  kAnother,    ///< or not known to be the same
};
[[nodiscard]] Verdict judge(const Evidence& evidence) noexcept;

/// What was left, until it is known to be about nobody.
class Takeover {
 public:
  /// Nothing is left.
  Takeover() noexcept = default;
  explicit Takeover(const std::optional<Left>& left) noexcept : left_(left), open_(left) {}

  /// Something is left, and nobody knows yet of whom: nothing of that ledger may be discarded.
  [[nodiscard]] bool undecided() const noexcept { return open_; }
  /// Null where nothing is left, or it is about nobody.
  [[nodiscard]] const Left* left() const noexcept { return left_ ? &*left_ : nullptr; }
  /// It is this guest's. @pre undecided()
  void go_on() noexcept { open_ = false; }
  /// It is about nobody.
  void drop() noexcept { *this = Takeover(); }

 private:
  std::optional<Left> left_;
  bool open_ = false;
};

}  // namespace vballoon::vm
