// SPDX-License-Identifier: BSD-3-Clause
#include "policy/pressure_law.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/guest_page.hpp"

namespace vballoon::policy {
namespace {

/// The names of the figures that explain a decision.
constexpr std::array<std::string_view, 8> kTerms{"guest_bytes", "has_bytes",   "available_bytes",
                                                 "step_bytes",  "floor_bytes", "ceiling_bytes",
                                                 "host_events", "guest_signs"};

}  // namespace

std::vector<Decision> PressureLaw::decide(const Observation& seen) {
  std::vector<Decision> decisions;
  decisions.reserve(seen.vms.size());
  for (const VmObservation& vm : seen.vms) {
    decisions.push_back(choose(vm, seen));
    move_by_whole_pages(vm, &decisions.back());
  }
  past_.end_turn();
  return decisions;
}

void PressureLaw::Past::take_up(const Observation& seen) noexcept {
  watch.take_up(seen);
  pressed.doubt(seen.now);
}

/// The comparison is "less or equal" because it is so in the mail.
bool PressureLaw::in_pressure(const Past& past, Time now) const noexcept {
  return past.pressed && now >= *past.pressed && now - *past.pressed <= settings_.guest_pressure;
}

Decision PressureLaw::choose(const VmObservation& vm, const Observation& seen) {
  Past& past = past_.of(vm.name, [&seen](Past& left) { left.take_up(seen); });
  GuestView view = past.watch.look(vm, seen);
  const std::uint64_t most = vm.guest - floor_of(vm);
  const std::uint64_t least = vm.guest - ceiling_of(vm);
  Decision decision{vm.target, Rule::kQuiet, {}, {}};
  if (!vm.automatic) {
    decision.rule = Rule::kManual;
    return decision;
  }
  if (!vm.running) {
    decision.rule = Rule::kNotRunning;
    return decision;
  }
  if (!vm.knows_actual) {
    decision.rule = Rule::kUnknownSize;
  } else if (view.pressure > 0) {
    past.pressed = seen.now;
    decision = answer_guest(vm, view.pressure);
  } else if (seen.host_pressure > 0) {
    if (in_pressure(past, seen.now)) {
      decision.rule = Rule::kLeftAlone;
    } else if (vm.inhibited || view.stalled) {
      decision.rule = vm.inhibited ? Rule::kInhibited : Rule::kStalled;
    } else {
      const std::uint64_t most_steps = vm.guest / std::max<std::uint64_t>(settings_.step, 1) + 1;
      decision.target += std::min<std::uint64_t>(seen.host_pressure, most_steps) * settings_.step;
      decision.rule = Rule::kHostPressure;
    }
  }
  if (decision.target > most) {
    decision.target = most;
    decision.rule = Rule::kFloor;
  }
  decision.target = std::max(decision.target, least);
  decision.signs = std::move(view.signs);
  decision.terms = {kTerms,
                    {vm.guest, view.plugged, view.available, settings_.step, floor_of(vm),
                     ceiling_of(vm), seen.host_pressure, view.pressure}};
  return decision;
}

Decision PressureLaw::answer_guest(const VmObservation& vm, unsigned times) const {
  Decision decision{vm.target, Rule::kGuestPressure, {}, {}};
  if (vm.target > vm.actual && !at_target(vm.actual, vm.target)) {
    decision.target = vm.actual;
    decision.rule = Rule::kCancelled;
    --times;
  }
  const std::uint64_t back = times * settings_.step;
  decision.target -= std::min(back, decision.target);
  return decision;
}

}  // namespace vballoon::policy
