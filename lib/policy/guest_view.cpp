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
  if (!vm.running || memory.guest != vm.guest) {
    memory = Memory();
    memory.guest = vm.guest;
    memory.seen = true;
  }
  GuestView view;
  view.plugged = vm.guest - std::min(vm.actual, vm.guest);
  view.used = view.plugged;
  if (!vm.running) return view;
  note_progress(vm, seen.now, &memory, &view);
  note_messages(vm, &memory, &view);
  note_sample(vm, seen, &memory, &view);
  memory.known = true;
  return view;
}

void GuestWatch::note_progress(const VmObservation& vm, Time now, Memory* memory,
                               GuestView* view) {
  const bool moved = !memory->known || vm.actual == vm.target || vm.actual != memory->actual ||
                     vm.target != memory->target || now < memory->moved;
  if (moved) memory->moved = now;
  memory->actual = vm.actual;
  memory->target = vm.target;
  view->stalled = now - memory->moved >= kPatience;
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
  if (!vm.sample) return;
  const GuestSample& sample = *vm.sample;
  const auto claimed = claimed_available(sample);
  view->knows = claimed.has_value() && is_fresh(sample, seen.sample_interval);
  if (!view->knows) return;
  if (*claimed > vm.guest) view->signs.emplace_back("it claims more memory than it has");
  view->available = std::min(*claimed, view->plugged);
  view->used = view->plugged - view->available;
  // What it never touched it cannot use.
  if (vm.resident && view->used > *vm.resident) {
    view->signs.emplace_back("it claims to use more than it ever touched");
    view->used = *vm.resident;
    view->available = view->plugged - view->used;
  }
  const auto before = std::exchange(memory->last, sample);
  if (before && before->sequence != sample.sequence) {
    const std::uint64_t in = rise(before->swap_in, sample.swap_in, view);
    const std::uint64_t out = rise(before->swap_out, sample.swap_out, view);
    view->swapped = std::min(in, vm.guest) + std::min(out, vm.guest);
    if (in + out > 0) add_pressure("it swaps", view);
    if (rise(before->major_faults, sample.major_faults, view) >= kManyMajorFaults) {
      add_pressure("it reads back pages that it had dropped", view);
    }
    if (rise(before->oom_kills, sample.oom_kills, view) > 0) {
      add_pressure("it killed a program for memory", view);
    }
    if (rise(before->alloc_stalls, sample.alloc_stalls, view) > 0) {
      add_pressure("its programs waited for memory", view);
    }
  }
  const bool is_new = !before || before->sequence != sample.sequence;
  if (is_new && view->available < view->plugged / kLowPart) {
    add_pressure("it has almost nothing available", view);
  }
}

void GuestWatch::forget_gone() {
  std::erase_if(guests_, [](const auto& entry) { return !entry.second.seen; });
  for (auto& [name, memory] : guests_) memory.seen = false;
}

}  // namespace vballoon::policy
