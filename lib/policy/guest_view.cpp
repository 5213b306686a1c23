// SPDX-License-Identifier: BSD-3-Clause
#include "policy/guest_view.hpp"

#include <algorithm>
#include <utility>

#include "base/units.hpp"

namespace vballoon::policy {
namespace {

/// An eighth: what a Linux server needs to stay answerable; never less than its kernel's own need.
constexpr std::uint64_t kFloorPart = 8;
constexpr std::uint64_t kSmallestFloor = 64 * kMiB;
/// Faults that went to a disk, in one interval, before they count. Starting a program makes dozens.
constexpr std::uint64_t kManyMajorFaults = 200;
/// Available memory, as a part of what the guest has, below which its kernel begins to reclaim.
constexpr std::uint64_t kLowPart = 32;

/// How much a counter rose. One that fell is another driver's, or a lie.
std::uint64_t rise(std::optional<std::uint64_t> before, std::optional<std::uint64_t> now,
                   GuestView* view) {
  if (!before || !now) return 0;
  if (*now >= *before) return *now - *before;
  view->signs.emplace_back("a counter ran backwards");
  return 0;
}

/// What the guest can do without. Kernels before 4.6 do not say; half of the caches is a guess.
std::optional<std::uint64_t> claimed_available(const GuestSample& sample) noexcept {
  if (sample.available) return sample.available;
  if (!sample.free) return std::nullopt;
  const std::uint64_t caches = sample.caches.value_or(0) / 2;
  return *sample.free > UINT64_MAX - caches ? UINT64_MAX : *sample.free + caches;
}

bool is_fresh(const GuestSample& sample, Time interval) noexcept {
  return sample.age <= std::max(GuestWatch::kStale, 3 * interval);
}

int sign(std::uint64_t to, std::uint64_t from) noexcept {
  return to > from ? 1 : to < from ? -1 : 0;
}

void add_pressure(std::string_view sign, GuestView* view) {
  view->pressure = std::max(view->pressure, 1U);
  view->signs.push_back(sign);
}

}  // namespace

std::uint64_t ceiling_of(const VmObservation& vm) noexcept {
  return vm.limits.ceiling == 0 ? vm.guest : std::min(vm.limits.ceiling, vm.guest);
}

std::uint64_t floor_of(const VmObservation& vm) noexcept {
  const std::uint64_t standard = std::max(vm.guest / kFloorPart, kSmallestFloor);
  const std::uint64_t floor = vm.limits.floor == 0 ? standard : vm.limits.floor;
  return std::min(floor, ceiling_of(vm));
}

GuestView GuestWatch::look(const VmObservation& vm, const Observation& seen) {
  Memory& memory = guests_[vm.name];
  memory.seen = true;
  const bool says = vm.running && vm.knows_actual;
  if (!says || memory.guest != vm.guest) {
    memory = Memory();
    memory.guest = vm.guest;
    memory.actual = vm.actual;
    memory.seen = true;
  }
  GuestView view;
  view.plugged = vm.guest - std::min(vm.actual, vm.guest);
  view.used = view.plugged;
  if (!says) return view;
  note_progress(vm, seen.now, &memory, &view);
  note_messages(vm, &memory, &view);
  note_sample(vm, seen, &memory, &view);
  memory.actual = vm.actual;
  memory.known = true;
  return view;
}

/// Progress leads towards the target and beyond where the balloon was before: one that only wavers
/// makes none. One that is let off, because its target comes to where it is, has shown nothing.
void GuestWatch::note_progress(const VmObservation& vm, Time now, Memory* memory,
                               GuestView* view) {
  const int direction = sign(vm.target, vm.actual);
  const int went = sign(vm.actual, memory->reached);
  const std::uint64_t way = std::max(vm.actual, memory->reached) -
                            std::min(vm.actual, memory->reached);
  const bool along = went != 0 && (went == memory->direction || went == direction);
  const bool came = along && (way >= kLeastProgress || direction == 0);
  const bool turned = direction != memory->direction;
  const Time waited = now - memory->moved;
  const Time patience = memory->stalled ? kPatience + kStalled : Time(0);
  if (!memory->known || came || waited < Time(0) || (turned && waited >= patience)) {
    memory->reached = vm.actual;
    memory->direction = direction;
    memory->stalled = false;
    memory->moved = now;
  } else if (direction == 0 && !memory->stalled) {
    memory->moved = now;
  } else if (waited >= kPatience) {
    memory->stalled = true;
  }
  view->stalled = memory->stalled;
}

void GuestWatch::note_messages(const VmObservation& vm, Memory* memory, GuestView* view) {
  // No guest is worth more than a handful of answers a turn.
  constexpr std::uint64_t kMostMessages = 8;
  if (memory->known && vm.pressure_messages > memory->messages) {
    view->pressure = static_cast<unsigned>(
        std::min(vm.pressure_messages - memory->messages, kMostMessages));
    view->signs.emplace_back("it sent a message of pressure");
  }
  memory->messages = vm.pressure_messages;
}

void GuestWatch::note_sample(const VmObservation& vm, const Observation& seen, Memory* memory,
                             GuestView* view) {
  const bool compares = std::exchange(memory->compares, false);
  if (!vm.sample) return;
  const GuestSample& sample = *vm.sample;
  const auto claimed = claimed_available(sample);
  view->knows = claimed.has_value() && is_fresh(sample, seen.sample_interval);
  if (!view->knows) return;
  memory->compares = true;
  const auto before = std::exchange(memory->last, sample);
  const bool is_new = !before || before->sequence != sample.sequence;
  const std::uint64_t used = memory->used;
  if (is_new) note_use(vm, *claimed, memory, view);
  if (compares) view->grown = memory->used - std::min(used, memory->used);
  view->used = std::min(memory->used, view->plugged);
  view->available = std::min(memory->available, view->plugged - view->used);
  if (!is_new) return;
  if (before) note_counters(*before, vm, view);
  if (view->available < view->plugged / kLowPart) {
    add_pressure("it has almost nothing available", view);
  }
}

/// Where the balloon of that moment was not noted it was between that of the last look and that of
/// now. As far as this leaves it open it uses what it used, or each move of the balloon would look
/// like a change of its needs.
void GuestWatch::note_use(const VmObservation& vm, std::uint64_t claimed, Memory* memory,
                          GuestView* view) {
  const auto without = [&vm](std::uint64_t balloon) {
    return vm.guest - std::min(balloon, vm.guest);
  };
  const std::uint64_t one = without(vm.sample->actual.value_or(memory->actual));
  const std::uint64_t other = vm.sample->actual ? one : view->plugged;
  const std::uint64_t least = std::min(one, other);
  const std::uint64_t most = std::max(one, other);
  const std::uint64_t low = least - std::min(claimed, least);
  const std::uint64_t high = most - std::min(claimed, most);
  memory->available = claimed;
  memory->used = memory->known ? std::clamp(memory->used, low, high) : high;
  if (claimed > vm.guest) view->signs.emplace_back("it claims more memory than it has");
  // What it never touched it cannot use.
  if (vm.resident && memory->used > *vm.resident) {
    view->signs.emplace_back("it claims to use more than it ever touched");
    memory->used = *vm.resident;
    memory->available = vm.guest;
  }
}

void GuestWatch::note_counters(const GuestSample& before, const VmObservation& vm,
                               GuestView* view) {
  const GuestSample& sample = *vm.sample;
  const std::uint64_t in = rise(before.swap_in, sample.swap_in, view);
  const std::uint64_t out = rise(before.swap_out, sample.swap_out, view);
  view->swapped = std::min(in, vm.guest) + std::min(out, vm.guest);
  if (view->swapped > 0) add_pressure("it swaps", view);
  if (rise(before.major_faults, sample.major_faults, view) >= kManyMajorFaults) {
    add_pressure("it reads back pages that it had dropped", view);
  }
  if (rise(before.oom_kills, sample.oom_kills, view) > 0) {
    add_pressure("it killed a program for memory", view);
  }
  if (rise(before.alloc_stalls, sample.alloc_stalls, view) > 0) {
    add_pressure("its programs waited for memory", view);
  }
}

void GuestWatch::forget_gone() {
  std::erase_if(guests_, [](const auto& entry) { return !entry.second.seen; });
  for (auto& [name, memory] : guests_) memory.seen = false;
}

}  // namespace vballoon::policy
