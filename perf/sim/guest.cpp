// SPDX-License-Identifier: BSD-3-Clause
#include "sim/guest.hpp"

#include <algorithm>

#include "base/units.hpp"

namespace vballoon::sim {
namespace {

/// A guest's swap, in a second. Of its anonymous memory a quarter is looked at in each.
constexpr std::uint64_t kDiskRate = 100 * kMiB;
constexpr std::uint64_t kActivePart = 4;
constexpr std::uint64_t kPage = 4 * kKiB;

std::uint64_t in(Time span, std::uint64_t rate) {
  return rate * static_cast<std::uint64_t>(span.count()) / 1000;
}

/// As large a part of the whole as `part` is of `of`.
std::uint64_t share(std::uint64_t whole, std::uint64_t part, std::uint64_t of) {
  if (of == 0) return 0;
  const double ratio = static_cast<double>(part) / static_cast<double>(of);
  return std::min(whole, static_cast<std::uint64_t>(static_cast<double>(whole) * ratio));
}

}  // namespace

void Guest::step(Time now, Time span) {
  ++steps_;
  move_balloon(span);
  run_programs(now, span);
  swap_back(span);
  read_files(span);
  touch();
  if (habits_.fault == Fault::kCriesPressure && now % Time(1000) < span) ++messages_;
}

/// Free memory first, then caches, then what can be swapped: as an allocation of the driver does.
void Guest::move_balloon(Time span) {
  if (habits_.fault == Fault::kStalls || habits_.fault == Fault::kDithers) return;
  if (habits_.fault == Fault::kClaimsDone) return;
  const std::uint64_t most = in(span, habits_.balloon_rate);
  if (target_ <= actual_) {
    actual_ -= std::min(most, actual_ - target_);
    return;
  }
  const std::uint64_t room = make_room(std::min(most, target_ - actual_), span);
  // Of what is free, the touched part goes with the rest.
  const std::uint64_t idle = less(touched_, used());
  const std::uint64_t gone = std::min(share(idle, room, free()), touched_);
  const std::uint64_t of_swap = share(on_host_swap_, gone, touched_);
  actual_ += room;
  touched_ -= gone;
  on_host_swap_ = std::min(on_host_swap_ - of_swap, touched_);
}

/// @return  how much of it there is, now free.
std::uint64_t Guest::make_room(std::uint64_t bytes, Time span) {
  if (free() >= bytes) return bytes;
  cache_ -= std::min(cache_, bytes - free());
  if (free() >= bytes) return bytes;
  const std::uint64_t can = std::min(in(span, kDiskRate), habits_.swap - swapped_);
  const std::uint64_t out = std::min({bytes - free(), can, anon_});
  anon_ -= out;
  swapped_ += out;
  counters_.swapped_out += out;
  return std::min(bytes, free());
}

void Guest::run_programs(Time now, Time span) {
  wanted_ = habits_.demand(now);
  const std::uint64_t has = anon_ + swapped_;
  if (wanted_ < has) {
    const std::uint64_t from_swap = share(has - wanted_, swapped_, has);
    swapped_ -= from_swap;
    anon_ -= std::min(anon_, has - wanted_ - from_swap);
  } else {
    const std::uint64_t room = make_room(wanted_ - has, span);
    if (room < wanted_ - has) ++counters_.stalls;
    anon_ += room;
  }
  const auto ms = static_cast<std::uint64_t>(span.count());
  if (anon_ + wanted_ / 20 < wanted_) counters_.below_need_ms += ms;
}

/// What is on the swap is wanted back as often as the rest.
void Guest::swap_back(Time span) {
  const std::uint64_t looked_at = in(span, swapped_ / kActivePart);
  const std::uint64_t room = make_room(std::min(looked_at, in(span, kDiskRate)), span);
  const std::uint64_t back = std::min(room, swapped_);
  swapped_ -= back;
  anon_ += back;
  counters_.swapped_in += back;
  counters_.major_faults += back / kPage;
}

void Guest::read_files(Time span) {
  const std::uint64_t missing = less(habits_.hot_files, cache_);
  counters_.major_faults += in(span, missing / kActivePart) / kPage;
  const std::uint64_t rate = std::max(habits_.read_rate, missing / kActivePart);
  const std::uint64_t room = less(free(), watermark());
  const std::uint64_t most = std::max(habits_.files, habits_.hot_files);
  cache_ += std::min({in(span, rate), room, less(most, cache_)});
}

void Guest::touch() {
  const bool all = habits_.fault == Fault::kClaimsNone;
  touched_ = std::clamp(all ? plugged() : touched_, used(), plugged());
  on_host_swap_ = std::min(on_host_swap_, touched_);
}

std::uint64_t Guest::claimed_actual() const noexcept {
  if (habits_.fault == Fault::kClaimsDone) return target_;
  return habits_.fault == Fault::kDithers ? steps_ % 7 * kPage : actual_;
}

policy::GuestSample Guest::answer() const {
  policy::GuestSample sample;
  sample.free = free();
  sample.caches = cache_;
  sample.available = less(free() + less(cache_, cache_ / 8), watermark());
  sample.swap_in = counters_.swapped_in;
  sample.swap_out = counters_.swapped_out;
  sample.major_faults = counters_.major_faults;
  sample.alloc_stalls = counters_.stalls;
  if (habits_.fault == Fault::kClaimsFree) sample.available = sample.free = UINT64_MAX - 7;
  if (habits_.fault == Fault::kClaimsNone) sample.available = sample.free = 0;
  if (habits_.fault == Fault::kCriesPressure) sample.swap_out = steps_ * kGiB;
  if (habits_.fault == Fault::kRunsBackwards) {
    sample.swap_in = sample.major_faults = UINT64_MAX - steps_ * kGiB;
  }
  return sample;
}

}  // namespace vballoon::sim
