// SPDX-License-Identifier: BSD-3-Clause
//
// vm/takeover.hpp - judges whether the connected guest is the one whose balloon an earlier daemon,
//                   or an earlier connection, left.
// Pure, except that find_start() looks at the ring in guest memory.
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

/// @return the layout of these features' rings, as a RingRecord has it.
[[nodiscard]] constexpr std::uint32_t ring_layout(wire::Features acked) noexcept {
  return acked.has(wire::Feature::kRingPacked) ? kPackedRing : kSplitRing;
}

/// @return nothing where there is no record, or its ring has another layout.
[[nodiscard]] std::optional<virtq::Mark> mark_of(const std::optional<RingRecord>& record,
                                                 std::uint32_t layout) noexcept;

/// The marks that were left of one ring.
struct MarksLeft {
  std::optional<virtq::Mark> ours{};    ///< in the daemon's state file
  std::optional<virtq::Mark> theirs{};  ///< in the front end's in-flight region
  bool front_end_keeps = false;         ///< the front end has such a region
};

/// Where a ring begins, and whether it goes on there.
struct RingStart {
  std::uint16_t position = 0;
  bool unused = false;   ///< the ring looks like a new driver's
  bool ours = false;     ///< its position says that it goes on where this ledger was left
  bool resumed = false;  ///< the ring shows so as well: its driver is the one that was there before
};

/// @param base  where the front end says that the ring begins.
[[nodiscard]] RingStart find_start(const RingState& ring, const MarksLeft& left,
                                   const virtq::QueueAreas& areas, std::uint16_t base,
                                   const gmem::GuestMemory& memory) noexcept;

/// What the connected guest shows, for judge().
struct Evidence {
  bool same_features = false;
  bool companion_began = false;       ///< that ring was served before
  std::optional<RingStart> entrance;  ///< nothing where the front end has not described the ring
  std::optional<RingStart> companion;
};

enum class Verdict : std::uint8_t {
  kSameDriver,
  /// Nothing came on the ring by which pages enter yet, so either driver's balloon is empty.
  kSameOrNew,
  kAnother,  ///< another driver, or one that is not known to be the same
};
[[nodiscard]] Verdict judge(const Evidence& evidence) noexcept;

/// The state that was left of a guest, until it turns out to be of another guest than this one.
class Takeover {
 public:
  /// Nothing was left.
  Takeover() noexcept = default;
  explicit Takeover(const std::optional<Left>& left) noexcept : left_(left), open_(left) {}

  /// Whether a state was left, and it is not known yet whether it is this guest's. Until then no
  /// page of that ledger may be discarded.
  [[nodiscard]] bool undecided() const noexcept { return open_; }
  /// @return null where no state was left, or it is not this guest's.
  [[nodiscard]] const Left* left() const noexcept { return left_ ? &*left_ : nullptr; }
  /// The state is this guest's. @pre undecided()
  void go_on() noexcept { open_ = false; }
  /// The state is not this guest's, or not known to be.
  void drop() noexcept { *this = Takeover(); }

 private:
  std::optional<Left> left_;
  bool open_ = false;
};

}  // namespace vballoon::vm
