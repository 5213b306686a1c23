// SPDX-License-Identifier: BSD-3-Clause
#include "policy/guest_view.hpp"

#include <algorithm>
#include <utility>

#include "base/guest_page.hpp"
#include "base/units.hpp"

namespace vballoon::policy {
namespace {

/// A Linux server needs an eighth of its memory to stay answerable, and at least what its kernel
/// itself needs.
constexpr std::uint64_t kFloorPart = 8;
constexpr std::uint64_t kSmallestFloor = 64 * kMiB;
/// So many faults that went to a disk, between two samples, are pressure. Starting a program makes
/// dozens.
constexpr std::uint64_t kManyMajorFaults = 200;
/// Below this part of what the guest has, its available memory makes its kernel reclaim.
constexpr std::uint64_t kLowPart = 32;

/// A swap device moves at most so many bytes in a second. For a larger guest the bound is its size.
constexpr std::uint64_t kMostSwapped = 2 * kGiB;
/// The most faults, stalls or kills in a second: more than a guest can call its kernel.
constexpr std::uint64_t kMostEvents = 10'000'000;

void add_sign(std::string_view sign, GuestView* view) {
  if (std::find(view->signs.begin(), view->signs.end(), sign) == view->signs.end()) {
    view->signs.push_back(sign);
  }
}

std::uint64_t believed(const ClaimedCounter::Step& step, GuestView* view) {
  if (step.doubt == ClaimedCounter::Doubt::kFell) add_sign("a counter ran backwards", view);
  if (step.doubt == ClaimedCounter::Doubt::kLeapt) {
    add_sign("a counter leapt further than it can", view);
  }
  return step.rise;
}

/// What the guest can do without. Kernels before 4.6 do not send it: then free memory and half of
/// the caches, which is a guess, stand for it.
/// @param most  a larger figure is impossible.
std::optional<std::uint64_t> claimed_available(const GuestSample& sample, std::uint64_t most,
                                               GuestView* view) {
  const auto can_be = [&](std::uint64_t bytes) {
    if (bytes > most) add_sign("it claims more memory than it has", view);
    return bytes <= most;
  };
  if (sample.available && can_be(*sample.available)) return sample.available;
  if (!sample.free || !can_be(*sample.free)) return std::nullopt;
  return std::min(*sample.free + std::min(sample.caches.value_or(0) / 2, most), most);
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
  const bool says = vm.running && vm.knows_actual;
  if (!says || !known_ || table_ != vm.table) {
    *this = GuestWatch();
    table_ = vm.table;
    actual_ = vm.actual;
  }
  GuestView view;
  view.plugged = vm.guest - std::min(vm.actual, vm.guest);
  view.used = view.plugged;
  if (!says) return view;
  note_progress(vm, seen.now, &view);
  note_messages(vm, &view);
  note_sample(vm, seen, &view);
  actual_ = vm.actual;
  looked_ = seen.now;
  known_ = true;
  return view;
}

/// A driver that nobody served could make no progress. Such a time is what lies between two looks
/// beyond the usual.
void GuestWatch::take_up(const Observation& seen) noexcept {
  moved_.doubt(seen.now);
  looked_.doubt(seen.now);
  if (!moved_ || !looked_) {
    *this = GuestWatch();
    return;
  }
  moved_ = *moved_ + std::max(seen.now - *looked_ - seen.sample_interval, Time(0));
  for (auto* counter : {&swap_in_, &swap_out_, &major_faults_, &oom_kills_, &alloc_stalls_}) {
    counter->take_up(seen.now);
  }
  sequence_ = kNoSample;
  messages_ = 0;
}

/// Progress is a move towards the target that goes beyond where the balloon has been. So a balloon
/// that only wavers makes none. A target that was set to the balloon's size does not end a stall,
/// because the driver has shown nothing by that.
void GuestWatch::note_progress(const VmObservation& vm, Time now, GuestView* view) {
  const int direction = at_target(vm.actual, vm.target) ? 0 : sign(vm.target, vm.actual);
  const int went = sign(vm.actual, reached_);
  const std::uint64_t way = std::max(vm.actual, reached_) - std::min(vm.actual, reached_);
  const bool along = went != 0 && (went == direction_ || went == direction);
  const bool came = along && (way >= kLeastProgress || direction == 0);
  const bool turned = direction != direction_;
  const Time waited = moved_ ? now - *moved_ : Time(0);
  const Time patience = stalled_ ? kPatience + kStalled : Time(0);
  if (!known_ || came || waited < Time(0) || (turned && waited >= patience)) {
    reached_ = vm.actual;
    direction_ = direction;
    stalled_ = false;
    moved_ = now;
  } else if (direction == 0 && !stalled_) {
    moved_ = now;
  } else if (waited >= kPatience) {
    stalled_ = true;
  }
  view->stalled = stalled_;
}

void GuestWatch::note_messages(const VmObservation& vm, GuestView* view) {
  // A turn answers a few messages of a guest at most.
  constexpr std::uint64_t kMostMessages = 8;
  if (known_ && vm.pressure_messages > messages_) {
    view->pressure =
        static_cast<unsigned>(std::min(vm.pressure_messages - messages_, kMostMessages));
    view->signs.emplace_back("it sent a message of pressure");
  }
  messages_ = vm.pressure_messages;
}

void GuestWatch::note_sample(const VmObservation& vm, const Observation& seen, GuestView* view) {
  const bool compares = std::exchange(compares_, false);
  if (!vm.sample || !is_fresh(*vm.sample, seen.sample_interval)) return;
  const GuestSample& sample = *vm.sample;
  const bool is_new = std::exchange(sequence_, sample.sequence) != sample.sequence;
  if (sample.nonsense) add_sign("some of what it says cannot be", view);
  const std::uint64_t used = used_;
  if (is_new) {
    note_counters(vm, seen.now - sample.age, view);
    const std::uint64_t balloon = std::min(vm.actual, sample.actual.value_or(actual_));
    const auto claimed = claimed_available(sample, vm.guest - std::min(balloon, vm.guest), view);
    says_ = claimed.has_value();
    if (claimed) note_use(vm, *claimed, view);
  }
  if (!says_) return;
  view->knows = true;
  compares_ = true;
  if (compares) view->grown = used_ - std::min(used, used_);
  view->used = std::min(used_, view->plugged);
  view->available = std::min(available_, view->plugged - view->used);
  if (is_new && view->available < view->plugged / kLowPart) {
    add_pressure("it has almost nothing available", view);
  }
}

/// The size of the balloon at the moment of the sample may be unknown. It was then between the size
/// at the last look and the present one, so the guest's use has a lower and an upper bound. Within
/// these bounds the use stays as it was, or each move of the balloon would look like a change of
/// the guest's needs.
void GuestWatch::note_use(const VmObservation& vm, std::uint64_t claimed, GuestView* view) {
  const auto without = [&vm](std::uint64_t balloon) {
    return vm.guest - std::min(balloon, vm.guest);
  };
  const std::uint64_t one = without(vm.sample->actual.value_or(actual_));
  const std::uint64_t other = vm.sample->actual ? one : view->plugged;
  const std::uint64_t least = std::min(one, other);
  const std::uint64_t most = std::max(one, other);
  const std::uint64_t low = least - std::min(claimed, least);
  const std::uint64_t high = most - std::min(claimed, most);
  available_ = claimed;
  used_ = known_ ? std::clamp(used_, low, high) : high;
  // The guest cannot use memory that it never touched.
  if (vm.resident && used_ > *vm.resident) {
    view->signs.emplace_back("it claims to use more than it ever touched");
    used_ = *vm.resident;
    available_ = vm.guest;
  }
}

void GuestWatch::note_counters(const VmObservation& vm, Time now, GuestView* view) {
  const GuestSample& sample = *vm.sample;
  const auto bytes = [&](ClaimedCounter& counter, std::optional<std::uint64_t> value) {
    return believed(counter.see(value, now, std::max(vm.guest, kMostSwapped)), view);
  };
  const auto events = [&](ClaimedCounter& counter, std::optional<std::uint64_t> value) {
    return believed(counter.see(value, now, kMostEvents), view);
  };
  const std::uint64_t in = bytes(swap_in_, sample.swap_in);
  const std::uint64_t out = bytes(swap_out_, sample.swap_out);
  view->swapped = std::min(in, vm.guest) + std::min(out, vm.guest);
  if (view->swapped > 0) add_pressure("it swaps", view);
  if (events(major_faults_, sample.major_faults) >= kManyMajorFaults) {
    add_pressure("it reads back pages that it had dropped", view);
  }
  if (events(oom_kills_, sample.oom_kills) > 0) {
    add_pressure("it killed a program for memory", view);
  }
  if (events(alloc_stalls_, sample.alloc_stalls) > 0) {
    add_pressure("its programs waited for memory", view);
  }
}

}  // namespace vballoon::policy
