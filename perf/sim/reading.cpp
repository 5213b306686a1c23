// SPDX-License-Identifier: BSD-3-Clause
//
// What the host's side knows of its guests: statistics as they come in, and one observation.
#include "sim/host.hpp"

namespace vballoon::sim {

void Host::read_answers() {
  for (std::size_t i = 0; i < guests_.size(); ++i) {
    const GuestHabits& habits = guests_[i].habits();
    Desk& desk = desks_[i];
    if (desk.asked < Time(0) || habits.fault == Fault::kSilent) continue;
    if (now_ - desk.asked < habits.answer_delay) continue;
    const std::uint64_t sequence = desk.sample.sequence + 1;
    desk.sample = guests_[i].answer();
    desk.sample.sequence = sequence;
    if (habits_.notes_balloon) desk.sample.actual = guests_[i].claimed_actual();
    desk.sampled = now_;
    desk.asked = Time(-1);
  }
}

policy::Observation Host::observe() const {
  policy::Observation seen;
  seen.now = now_;
  if (habits_.clock_jumps && now_ >= Time(200'000)) seen.now += Time(3'600'000);
  if (habits_.clock_jumps && now_ >= Time(300'000)) seen.now -= Time(7'200'000);
  seen.sample_interval = habits_.tick;
  seen.host_pressure = events_;
  policy::PoolObservation pool{"host", habits_.total, available(), habits_.reserve, 0};
  for (std::size_t i = 0; i < guests_.size(); ++i) {
    const Guest& guest = guests_[i];
    policy::VmObservation vm;
    vm.name = guest.habits().name;
    vm.automatic = vm.running = true;
    vm.guest = guest.habits().memory;
    vm.target = guest.target();
    vm.actual = guest.claimed_actual();
    vm.resident = guest.touched();
    vm.limits = guest.habits().limits;
    vm.pressure_messages = guest.messages();
    if (desks_[i].sample.sequence > 0) {
      vm.sample = desks_[i].sample;
      vm.sample->age = now_ - desks_[i].sampled;
    }
    pool.swapped += guest.on_host_swap();
    seen.vms.push_back(std::move(vm));
  }
  seen.pools.push_back(std::move(pool));
  return seen;
}

}  // namespace vballoon::sim
