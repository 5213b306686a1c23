// SPDX-License-Identifier: BSD-3-Clause
//
// policy/guest_view.hpp - what is believed of what a guest says.
// Every figure of a guest is a claim: it is bounded by what the host knows itself, and one that
// cannot be is unknown: neither 0 nor the most that there is stands in for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/claimed_counter.hpp"
#include "policy/observation.hpp"

namespace vballoon::policy {

struct GuestView {
  std::uint64_t plugged = 0;    ///< what it has: its memory without the balloon
  std::uint64_t available = 0;  ///< of that, what it can do without, as far as it is believed
  std::uint64_t used = 0;       ///< the rest
  std::uint64_t grown = 0;      ///< by which that rose since the sample before
  std::uint64_t swapped = 0;    ///< moved to or from its swap since the sample before
  bool knows = false;           ///< it said so, and lately
  bool stalled = false;         ///< it made no progress towards its target for kPatience
  unsigned pressure = 0;        ///< signs of pressure that are new: messages, and one for a sample
  std::vector<std::string_view> signs;
};

/// Remembers of each guest what it said last. @par Thread: one owner.
class GuestWatch {
 public:
  /// A driver that gets no nearer to its target for so long is stalled, by so much at least;
  static constexpr Time kPatience{5000};
  static constexpr std::uint64_t kLeastProgress = 1U << 20;
  /// and is so until it moves, or for so long where it was let off.
  static constexpr Time kStalled{60000};
  /// A sample older than this, or than three intervals, is none.
  static constexpr Time kStale{10000};

  [[nodiscard]] GuestView look(const VmObservation& vm, const Observation& seen);
  /// Forgets those that look() was not asked about since the last time.
  void forget_gone();

 private:
  struct Memory {
    std::optional<std::uint64_t> sequence;  ///< of the sample that was looked at last
    ClaimedCounter swap_in, swap_out, major_faults, oom_kills, alloc_stalls;
    std::uint64_t messages = 0;
    std::uint64_t table = 0;
    std::uint64_t used = 0;       ///< by the last sample,
    std::uint64_t available = 0;  ///< and this, as it was then
    std::uint64_t actual = 0;     ///< of the balloon, when it was looked at last
    std::uint64_t reached = 0;    ///< how far it has come in its direction,
    int direction = 0;            ///< which is this
    Time moved{0};                ///< when it made progress, or had nothing to do
    bool stalled = false;
    bool seen = false;
    bool known = false;
    bool says = false;      ///< that sample says what is available, as far as it can be
    bool compares = false;  ///< the look before had a sample to compare with
  };
  static void note_progress(const VmObservation& vm, Time now, Memory* memory, GuestView* view);
  static void note_messages(const VmObservation& vm, Memory* memory, GuestView* view);
  static void note_sample(const VmObservation& vm, const Observation& seen, Memory* memory,
                          GuestView* view);
  static void note_use(const VmObservation& vm, std::uint64_t claimed, Memory* memory,
                       GuestView* view);
  static void note_counters(const VmObservation& vm, Time now, Memory* memory, GuestView* view);

  std::unordered_map<std::string, Memory> guests_;
};

/// Where a VM may be: [floor, ceiling] of what is left to the guest.
[[nodiscard]] std::uint64_t floor_of(const VmObservation& vm) noexcept;
[[nodiscard]] std::uint64_t ceiling_of(const VmObservation& vm) noexcept;

}  // namespace vballoon::policy
