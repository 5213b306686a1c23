// SPDX-License-Identifier: BSD-3-Clause
//
// policy/law.hpp - what moves the targets of automatic VMs.
// Thread: one owner. A law looks at no clock and not at the host: the same observations give the
//         same decisions, in the daemon and in a simulation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "policy/observation.hpp"

namespace vballoon::policy {

/// Why a target is what it is.
enum class Rule {
  kManual,         ///< the VM is not automatic: the target stays as a person set it
  kNotRunning,     ///< no driver runs
  kInhibited,      ///< the memory that the guest gives would not be discarded
  kNoStatistics,   ///< the guest does not say what it needs, or not lately: nothing is taken
  kUnknownSize,    ///< the driver has not said how large the balloon is
  kHostUnknown,    ///< the host tells nothing of the memory behind the guest: nothing is taken
  kStalled,        ///< the driver makes no progress: what it should give is not counted on
  kFloor,          ///< memory is given back up to the guest's floor
  kGuestNeeds,     ///< memory is given back at once: the guest has less than it needs
  kHostNeeds,      ///< memory is taken at once: the host is below its reserve
  kShortage,       ///< memory below the need is taken, by weight: the host has not enough for all
  kShare,          ///< the guest is moved slowly to its share
  kRecovering,     ///< the guest was short of memory a moment ago: nothing is taken
  kWaiting,        ///< the guest's share is larger, but the host has promised all that it has
  kLockedOut,      ///< the guest was moved the other way a moment ago
  kDeadBand,       ///< the difference is too small for a move
  kSettled,        ///< the guest has its share
  kHostPressure,   ///< law pressure: the target grows by a step for each event
  kGuestPressure,  ///< law pressure: the target shrinks by a step
  kCancelled,      ///< law pressure: the inflation under way ends where it is
  kLeftAlone,      ///< law pressure: the guest showed pressure lately
  kQuiet,          ///< law pressure: nothing happened
};
/// One sentence for the operator.
[[nodiscard]] std::string_view rule_text(Rule rule) noexcept;
/// A word for programs: "guest_needs".
[[nodiscard]] std::string_view rule_name(Rule rule) noexcept;

/// A figure that a decision rests on. The last word of its name is the unit ("need_bytes").
struct Term {
  std::string_view name;
  std::uint64_t value = 0;
};

/// The figures that explain a decision, by the names that its law has for them. They allocate no
/// memory: a law decides over a thousand VMs a turn, and few decisions are ever explained.
class Terms {
 public:
  static constexpr std::size_t kMost = 13;

  Terms() = default;
  /// @param names   the names of these values, in their order, and then of those that add() adds.
  ///                The names outlive all use.
  Terms(std::span<const std::string_view> names, std::initializer_list<std::uint64_t> values);
  void add(std::uint64_t value);

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] Term operator[](std::size_t i) const { return {names_[i], values_[i]}; }

 private:
  std::span<const std::string_view> names_;
  std::array<std::uint64_t, kMost> values_{};
  std::size_t count_ = 0;
};

/// What a law decides for one VM.
struct Decision {
  std::uint64_t target = 0;  ///< in bytes; the present target where nothing is to be done
  Rule rule = Rule::kManual;
  Terms terms;                          ///< the figures that the rule was applied to
  std::vector<std::string_view> signs;  ///< the guest's signs that counted, or were not believed
};

/// Rounds a target that changes down to a size that every guest can reach, whatever the size of its
/// pages. The guest so keeps up to one such page more than the law meant.
void move_by_whole_pages(const VmObservation& vm, Decision* decision) noexcept;

class Law {
 public:
  virtual ~Law() = default;
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// @return one decision for each VM, in the order of `seen.vms`.
  [[nodiscard]] virtual std::vector<Decision> decide(const Observation& seen) = 0;
};

}  // namespace vballoon::policy
