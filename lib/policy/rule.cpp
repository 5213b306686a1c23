// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <cstddef>

#include "base/check.hpp"
#include "base/guest_page.hpp"
#include "policy/law.hpp"

namespace vballoon::policy {
namespace {

struct Words {
  std::string_view name;
  std::string_view text;
};

/// Indexed by Rule.
constexpr std::array kWords{
    Words{"manual", "not automatic: its target is as a person set it"},
    Words{"not_running", "no balloon driver runs in the guest"},
    Words{"inhibited", "discards are inhibited, so it would give nothing to the host"},
    Words{"no_statistics",
          "the guest does not say what it needs, or has not lately; nothing is "
          "taken from it"},
    Words{"unknown_size",
          "its driver goes on from elsewhere and has not said how large its "
          "balloon is; it was asked"},
    Words{"host_unknown",
          "the host does not say what it has of the memory behind the guest; "
          "nothing is taken from it"},
    Words{"stalled", "its driver makes no progress towards the target; it is not counted on"},
    Words{"floor", "held at its floor"},
    Words{"guest_needs", "it has less than it needs: given back at once"},
    Words{"host_needs",
          "the host is below its reserve: what the guest can do without is taken at "
          "once"},
    Words{"shortage",
          "the host has not enough for the needs of all: taken by weight, idle memory "
          "first"},
    Words{"share", "moved slowly to its share"},
    Words{"recovering", "it was short of memory a moment ago: nothing is taken from it"},
    Words{"waiting", "it may have more once others gave it: the host has promised all it has"},
    Words{"locked_out", "it was moved the other way a moment ago: it stays"},
    Words{"dead_band", "it is as good as at its share: it stays"},
    Words{"settled", "it has its share, or nothing to spare: it stays"},
    Words{"host_pressure", "the host shows pressure: a step for each sign of it"},
    Words{"guest_pressure", "the guest is under pressure: a step is given back"},
    Words{"cancelled", "the guest is under pressure: the inflation under way ends where it is"},
    Words{"left_alone", "the host shows pressure; the guest did lately, and is left alone"},
    Words{"quiet", "neither the host nor the guest shows pressure: it stays"},
};
static_assert(kWords.size() == static_cast<std::size_t>(Rule::kQuiet) + 1);

}  // namespace

std::string_view rule_name(Rule rule) noexcept {
  return kWords[static_cast<std::size_t>(rule)].name;
}

std::string_view rule_text(Rule rule) noexcept {
  return kWords[static_cast<std::size_t>(rule)].text;
}

Terms::Terms(std::span<const std::string_view> names, std::initializer_list<std::uint64_t> values)
    : names_(names) {
  for (const std::uint64_t value : values) add(value);
}

void Terms::add(std::uint64_t value) {
  VB_CHECK(count_ < names_.size() && count_ < kMost);
  values_[count_++] = value;
}

void move_by_whole_pages(const VmObservation& vm, Decision* decision) noexcept {
  if (decision->target == vm.target) return;
  decision->target = whole_guest_pages(decision->target, vm.unit);
}

}  // namespace vballoon::policy
