// SPDX-License-Identifier: BSD-3-Clause
#include "vm/balloon.hpp"

#include <algorithm>
#include <utility>

namespace vballoon::vm {
namespace {

/// The time until the next attempt to keep wishes that could not be kept.
constexpr std::chrono::seconds kKeepAgain{1};

}  // namespace

Balloon::Balloon(const Folder* folder, const std::string& name,
                 const reclaim::ReclaimLimits& limits,
                 const std::optional<wire::large::Config>& large)
    : config_(large), state_(folder, name, large ? large->size_mask : 0), path_(config_, limits) {
  note_kept();
  path_.inhibit(state_.inhibited());
}

void Balloon::set_memory(std::shared_ptr<const gmem::GuestMemory> memory,
                         const DeviceState::Room& room, bool goes_on) {
  path_.set_memory(std::move(memory), {room.words, room.touched, goes_on, room.marks,
                                       room.marks_touched, room.leaving});
  tables_provided_ = false;
}

void Balloon::empty(const Rings& rings) {
  // The marks of rings that are served stay.
  std::array<RingRecord, kRings> marks{};
  for (unsigned index = 0; index < rings.size(); ++index) {
    const RingRecord* const record = state_.ring(index);
    if (record != nullptr && rings[index].served()) marks[index] = *record;
  }
  // Comes first: a daemon that is killed below leaves a ledger that is only half emptied, and the
  // next daemon must not believe that ledger.
  state_.forget();
  for (unsigned index = 0; index < rings.size(); ++index) {
    RingRecord* const record = state_.ring(index);
    if (record != nullptr) *record = marks[index];
  }
  path_.empty_balloon();
  tables_provided_ = false;
}

void Balloon::release() {
  path_.release();
  tables_provided_ = false;
  state_.release();
  config_.reset_driver_fields();
}

void Balloon::keep_driver_fields() noexcept {
  state_.set_driver_fields(config_.actual(), config_.knows_actual(), config_.poison_value());
}

void Balloon::provide_tables() noexcept {
  if (config_.num_pages() == 0 || std::exchange(tables_provided_, true)) return;
  path_.provide_tables();
}

void Balloon::note_complete(const Rings& rings) noexcept {
  const reclaim::ReclaimCounters& counters = path_.reclaim_counters();
  const bool served =
      std::any_of(rings.begin(), rings.end(), [](const RingState& ring) { return ring.begun(); });
  if (served && counters.gathered_pages.get() == 0 && counters.kept_pages.get() == 0) {
    state_.set_complete();
  }
}

void Balloon::note_kept() noexcept {
  keep_due_.store(state_.unfinished(), std::memory_order_relaxed);
  next_keep_ = std::chrono::steady_clock::now() + kKeepAgain;
}

void Balloon::keep_again() {
  if (std::chrono::steady_clock::now() < next_keep_) return;
  state_.keep();
  note_kept();
}

}  // namespace vballoon::vm
