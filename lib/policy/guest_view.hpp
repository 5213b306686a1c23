// SPDX-License-Identifier: BSD-3-Clause
//
// policy/guest_view.hpp - how much of a guest's figures is believed.
// Every figure of a guest is a claim. The host bounds it by what the host knows itself. A figure
// that is impossible counts as unknown, and neither as 0 nor as the largest possible value.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "policy/claimed_counter.hpp"
#include "policy/kept_value.hpp"
#include "policy/observation.hpp"

namespace vballoon::policy {

struct GuestView {
  std::uint64_t plugged = 0;    ///< what the guest has: its memory without the balloon
  std::uint64_t available = 0;  ///< the part of `plugged` that it can do without, if believed
  std::uint64_t used = 0;       ///< the other part of `plugged`
  std::uint64_t grown = 0;      ///< by how much `used` rose since the sample before
  std::uint64_t swapped = 0;    ///< bytes moved to or from its swap since the sample before
  bool knows = false;           ///< the guest said lately what is available
  bool stalled = false;         ///< its driver made no progress towards the target for kPatience
  unsigned pressure = 0;        ///< new signs of pressure: each message, and one for a sample
  std::vector<std::string_view> signs;
};

/// Looks at one guest in each turn, and remembers its last figures. Its bytes may be anything
/// (policy/kept_value.hpp). @par Thread: one owner.
class GuestWatch {
 public:
  /// A driver is stalled when it comes less than kLeastProgress nearer to its target in kPatience.
  static constexpr Time kPatience{5000};
  static constexpr std::uint64_t kLeastProgress = 1U << 20;
  /// The driver is stalled until it moves, or for this time where its target came to its size.
  static constexpr Time kStalled{60000};
  /// A sample that is older than this and than three intervals does not count.
  static constexpr Time kStale{10000};

  [[nodiscard]] GuestView look(const VmObservation& vm, const Observation& seen);

  /// Another process looked until now, and numbered samples and messages itself.
  void take_up(const Observation& seen) noexcept;

 private:
  void note_progress(const VmObservation& vm, Time now, GuestView* view);
  void note_messages(const VmObservation& vm, GuestView* view);
  void note_sample(const VmObservation& vm, const Observation& seen, GuestView* view);
  void note_use(const VmObservation& vm, std::uint64_t claimed, GuestView* view);
  void note_counters(const VmObservation& vm, Time now, GuestView* view);

  static constexpr std::uint64_t kNoSample = UINT64_MAX;

  std::uint64_t sequence_ = kNoSample;  // the number of the last sample
  ClaimedCounter swap_in_, swap_out_, major_faults_, oom_kills_, alloc_stalls_;
  std::uint64_t messages_ = 0;
  std::uint64_t table_ = 0;
  std::uint64_t used_ = 0;       // by the last sample
  std::uint64_t available_ = 0;  // by the last sample
  std::uint64_t actual_ = 0;     // size of the balloon at the last look
  std::uint64_t reached_ = 0;    // size of the balloon when it last made progress
  std::int64_t direction_ = 0;   // 1: to inflate, -1: to deflate, 0: at its target
  Moment moved_;                 // when it last made progress, or was at its target
  Moment looked_;                // the last look
  Flag stalled_;
  Flag known_;
  Flag says_;      // the last sample has a possible figure of what is available
  Flag compares_;  // the look before had a sample to compare with
};

/// The bounds of what is left to the guest: [floor, ceiling].
[[nodiscard]] std::uint64_t floor_of(const VmObservation& vm) noexcept;
[[nodiscard]] std::uint64_t ceiling_of(const VmObservation& vm) noexcept;

}  // namespace vballoon::policy
