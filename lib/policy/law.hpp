// SPDX-License-Identifier: BSD-3-Clause
//
// policy/law.hpp - what moves the targets of automatic VMs.
// Thread: one owner. Nothing in here looks at a clock or at the host: the same observations make
//         the same decisions, run or simulated.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/observation.hpp"

namespace vballoon::policy {

/// Why a target is what it is.
enum class Rule {
  kManual,         ///< not automatic: left as a person set it
  kNotRunning,     ///< no driver to ask
  kInhibited,      ///< what it would give could not be discarded
  kNoStatistics,   ///< it does not say what it needs, or not lately: nothing is taken from it
  kUnknownSize,    ///< it has not said how large its balloon is
  kHostUnknown,    ///< nothing is known of the memory that backs it: nothing is taken from it
  kStalled,        ///< it makes no progress towards its target: not counted on
  kFloor,          ///< given back up to its floor
  kGuestNeeds,     ///< given back at once: it has less than it needs
  kHostNeeds,      ///< taken at once: the host is below its reserve
  kShortage,       ///< taken below its need, by weight: the host has not enough for all
  kShare,          ///< moved slowly to its share
  kRecovering,     ///< it was short of memory a moment ago: nothing is taken from it
  kWaiting,        ///< its share is larger, but the host has promised all that it has
  kLockedOut,      ///< moved the other way a moment ago
  kDeadBand,       ///< too little to be worth a move
  kSettled,        ///< it has its share
  kHostPressure,   ///< law pressure: a step for each event
  kGuestPressure,  ///< law pressure: a step back
  kCancelled,      ///< law pressure: the inflation under way ends where it is
  kLeftAlone,      ///< law pressure: it reported pressure lately
  kQuiet,          ///< law pressure: nothing happened
};
/// One sentence for the operator.
[[nodiscard]] std::string_view rule_text(Rule rule) noexcept;
/// A word for programs: "guest_needs".
[[nodiscard]] std::string_view rule_name(Rule rule) noexcept;

/// A figure that a decision rests on. The unit is the name's last word ("need_bytes").
struct Term {
  std::string_view name;
  std::uint64_t value = 0;
};

/// Of one VM.
struct Decision {
  std::string name;
  std::uint64_t target = 0;  ///< in bytes; as observed where nothing is to be done
  Rule rule = Rule::kManual;
  std::vector<Term> terms;              ///< what the rule was applied to
  std::vector<std::string_view> signs;  ///< what the guest showed that counted, or was not believed
};

/// A target that is moved is one that every guest reaches, whatever the size of its pages. Less
/// than one of these more than was meant stays with the guest.
void move_by_whole_pages(std::uint64_t before, Decision* decision) noexcept;

class Law {
 public:
  virtual ~Law() = default;
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// @return one decision for each VM, in their order.
  [[nodiscard]] virtual std::vector<Decision> decide(const Observation& seen) = 0;
};

}  // namespace vballoon::policy
