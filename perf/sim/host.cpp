// SPDX-License-Identifier: BSD-3-Clause
#include "sim/host.hpp"

#include <algorithm>
#include <utility>

#include "base/units.hpp"

namespace vballoon::sim {
namespace {

constexpr Time kStep{100};
/// Below this part of its memory the host reclaims; it says so once for so much, and once a tick
/// at least.
constexpr std::uint64_t kWatermarkPart = 50;
constexpr std::uint64_t kOfEvent = 32 * kMiB;
/// Of what a guest has on the host's swap it wants a fifth in a second, as far as it is active.
constexpr double kWantedBack = 0.2;
constexpr Time kReversal{60'000};

}  // namespace

Host::Host(HostHabits habits, const std::vector<GuestHabits>& guests, policy::Law* law)
    : habits_(std::move(habits)),
      guests_(guests.begin(), guests.end()),
      desks_(guests.size()),
      law_(law) {}

void Host::run(Time length) {
  const Time end = now_ + length;
  while (now_ < end) step();
}

void Host::step() {
  now_ += kStep;
  for (Guest& guest : guests_) guest.step(now_, kStep);
  for (Guest& guest : guests_) fault_back(guest);
  reclaim();
  if (available() < habits_.reserve) {
    counters_.short_ms += static_cast<std::uint64_t>(kStep.count());
  }
  read_answers();
  if (now_ % habits_.tick == Time(0)) tick();
}

std::uint64_t Host::available() const noexcept {
  std::uint64_t used = habits_.others(now_);
  for (const Guest& guest : guests_) used += guest.present();
  return less(habits_.total, used);
}

void Host::fault_back(Guest& guest) {
  if (guest.on_host_swap() == 0) return;
  const double used = static_cast<double>(guest.active()) / static_cast<double>(guest.touched());
  const double part = kWantedBack * used * static_cast<double>(kStep.count()) / 1000;
  const auto back = static_cast<std::uint64_t>(part * static_cast<double>(guest.on_host_swap()));
  guest.host_swaps_in(back);
  counters_.swapped_in += back;
}

/// From all guests alike.
void Host::reclaim() {
  const std::uint64_t watermark = habits_.total / kWatermarkPart;
  std::uint64_t present = 0;
  for (const Guest& guest : guests_) present += guest.present();
  const std::uint64_t kept = watermark + habits_.others(now_);
  const std::uint64_t over = std::min(less(present + kept, habits_.total), present);
  if (over == 0) return;
  for (Guest& guest : guests_) {
    const double part = static_cast<double>(guest.present()) / static_cast<double>(present);
    const auto out = static_cast<std::uint64_t>(part * static_cast<double>(over));
    guest.host_swaps_out(std::min(out, guest.present()));
  }
  counters_.swapped_out += over;
  reclaimed_ += over;
  events_ = std::max(1U, static_cast<unsigned>(reclaimed_ / kOfEvent));
}

void Host::tick() {
  if (law_ != nullptr) {
    const policy::Observation seen = observe();
    const auto decisions = law_->decide(seen);
    if (watcher_) watcher_(seen, decisions);
    for (std::size_t i = 0; i < guests_.size(); ++i) apply(i, decisions[i]);
  }
  events_ = 0;
  reclaimed_ = 0;
  for (std::size_t i = 0; i < guests_.size(); ++i) {
    if (desks_[i].asked >= Time(0)) continue;
    desks_[i].asked = now_;
  }
}

void Host::apply(std::size_t index, const policy::Decision& decision) {
  Guest& guest = guests_[index];
  Desk& desk = desks_[index];
  if (decision.target == guest.target()) return;
  const int direction = decision.target > guest.target() ? 1 : -1;
  ++counters_.moves;
  if (desk.direction == -direction && now_ - desk.moved < kReversal) ++counters_.reversals;
  desk.direction = direction;
  desk.moved = now_;
  guest.set_target(decision.target);
}

}  // namespace vballoon::sim
