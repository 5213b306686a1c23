// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_restart.cpp - a guest that goes on with what an earlier daemon, or an
// earlier connection, left of it.
// Source: section 9 of the design; vhost-user protocol, "Inflight I/O tracking".
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/size_text.hpp"
#include "vhost/balloon_device.hpp"

namespace vballoon::vhost {
namespace {

/// The two rings without which nothing is known of what is in the balloon.
constexpr unsigned kInflateRing = 0;
constexpr unsigned kDeflateRing = 1;

std::optional<virtq::Mark> mark_of(const std::optional<vm::RingRecord>& record, bool packed) {
  if (!record || record->layout != (packed ? vm::kPackedRing : vm::kSplitRing)) {
    return std::nullopt;
  }
  return std::bit_cast<virtq::Mark>(record->mark);
}

/// Both were written by one process, one after the other: they are at most one step apart.
bool of_one_ring(const virtq::Mark& one, const virtq::Mark& other) noexcept {
  return one.published == other.published || one.about == other.about;
}

}  // namespace

/// What the operator asked for, of the daemon before this one.
void BalloonDevice::load_wishes() {
  if (const auto word = kept_.target()) {
    wanted_.forced = word->forced;
    if (word->share != 0) {
      wanted_.size.share = Share{word->share};
    } else {
      wanted_.size.bytes = pages_to_bytes(word->pages);
    }
  }
  note_kept();
  show_target();
  path_.inhibit(kept_.inhibited());
}

rte_vhost_msg_result BalloonDevice::get_inflight(Message message) {
  auto payload = message.inflight();
  if (!payload || payload->queues == 0) return RTE_VHOST_MSG_RESULT_ERR;
  auto region = InflightRegion::create();
  if (!region) {
    warn(region.error().message);
    return RTE_VHOST_MSG_RESULT_ERR;
  }
  // Ours until the reply is out; the front end then has a duplicate.
  lent_ = std::move(*region);
  payload->mmap_size = InflightRegion::kBytes;
  payload->mmap_offset = 0;
  message.reply_inflight(*payload, lent_.get());
  return RTE_VHOST_MSG_RESULT_REPLY;
}

rte_vhost_msg_result BalloonDevice::set_inflight(Message message) {
  const auto payload = message.inflight();
  const auto fd = message.single_fd();
  if (!payload || !fd) return RTE_VHOST_MSG_RESULT_ERR;
  auto region = InflightRegion::map(*fd, payload->mmap_offset, payload->mmap_size);
  if (!region) {
    warn(region.error().message);
    return RTE_VHOST_MSG_RESULT_ERR;
  }
  suspend_all();
  inflight_ = std::move(*region);
  return RTE_VHOST_MSG_RESULT_OK;
}

/// Where a ring goes on that was not served on this connection yet, by the marks that are left.
std::optional<BalloonDevice::Place> BalloonDevice::place_left(unsigned index,
                                                              const virtq::QueueAreas& areas,
                                                              std::uint16_t base) const {
  const bool packed = acked_.has(wire::Feature::kRingPacked);
  const auto theirs = mark_of(inflight_.left(index), packed);
  // A front end that keeps marks and has none of this ring: its driver is a new one.
  if (inflight_.present() && !theirs) return std::nullopt;
  const gmem::GuestMemory& memory = *path_.memory();
  if (const auto ours = left_ ? mark_of(left_->rings[index], packed) : std::nullopt) {
    const bool same =
        theirs ? of_one_ring(*theirs, *ours) : base == ours->published || base == ours->about;
    if (const auto found = same ? virtq::recover(areas, *ours, memory) : std::nullopt) {
      return Place{found->position, true, found->sure};
    }
  }
  if (const auto found = theirs ? virtq::recover(areas, *theirs, memory) : std::nullopt) {
    return Place{found->position, false, false};
  }
  return std::nullopt;
}

/// Of a ledger that is not known to be this guest's nothing may be discarded, and its inflate ring
/// alone does not tell: so no ring is served before these two are there.
/// @return whether it is decided now.
bool BalloonDevice::decide() {
  if (!rings_[kInflateRing].ready || !rings_[kDeflateRing].ready) return false;
  const auto inflate = describe_ring(kInflateRing);
  const auto deflate = describe_ring(kDeflateRing);
  // A reset is one of all rings. One of which nothing came back yet begins as a new driver's does,
  // and says nothing against the other: no more than one that was about to be started for the first
  // time when the earlier daemon ended.
  const bool began = left_->rings[kDeflateRing].layout != vm::kNoRing;
  const bool same_driver = left_->features == acked_.bits() && inflate && deflate;
  const bool either =
      same_driver && (deflate->setup.resumed || (deflate->unused && (deflate->ours || !began)));
  undecided_ = false;
  if (either && inflate->setup.resumed) {
    go_on();
  } else if (either && inflate->ours && inflate->unused) {
    go_on_or_begin();
  } else {
    drop_left();
  }
  return true;
}

void BalloonDevice::go_on() {
  config_.restore_driver_fields(left_->actual_pages, left_->knows_actual, left_->poison);
  kept_.begin(acked_.bits());
  if (!left_->complete) path_.discard_again();
  provide_tables();
  // The target may have changed just before nobody could say so any more.
  notify_due_.store(true, std::memory_order_relaxed);
  note(fmt::format("its guest goes on with the {} that were in its balloon",
                   format_size(pages_to_bytes(path_.counters().ballooned_pages.get()))));
}

/// The inflate ring looks unused: the old driver's balloon is as empty as a new one's, and which of
/// the two it is does not show. What only the old one said stays in force, since a new one says it
/// anew; and whoever it is hears of the target.
void BalloonDevice::go_on_or_begin() {
  const bool poisons = acked_.has(wire::Feature::kPagePoison) && config_.poison_value() == 0;
  if (poisons) {
    config_.restore_driver_fields(config_.actual(), config_.knows_actual(), left_->poison);
  }
  if (path_.counters().ballooned_pages.get() == 0) {
    note("its guest had nothing in its balloon yet");
    start_anew();
  } else {
    drop_left();
  }
  keep_driver_fields();
  notify_due_.store(true, std::memory_order_relaxed);
}

void BalloonDevice::drop_left() {
  note("its guest is not known to be the one that was served before; its balloon counts as empty");
  start_anew();
}

/// The driver is a new one, or may be: all pages are its guest's.
void BalloonDevice::start_anew() {
  left_.reset();
  // First of all: whoever finds the ledger half emptied is not to believe it.
  kept_.forget();
  for (unsigned index = 0; index < rings_.size(); ++index) {
    vm::RingRecord* const record = kept_.ring(index);
    if (record != nullptr && !rings_[index].role) *record = {};
  }
  path_.empty_balloon();
  tables_provided_ = false;
}

/// Rings that waited for decide(), the one that tells of a reset first.
void BalloonDevice::start_waiting() {
  for (unsigned index = 0; index < rings_.size(); ++index) {
    if (rings_[index].ready) start_ring(index);
  }
}

/// @return where the ring says from now on how far it came.
virtq::MarkWords BalloonDevice::marks_of(unsigned index) {
  const auto word = [](vm::RingRecord* record) {
    return record != nullptr ? &record->mark : nullptr;
  };
  return {{word(inflight_.ring(index)), word(kept_.ring(index))}};
}

/// @pre Its mark is stored.
void BalloonDevice::note_begun(unsigned index) {
  rings_[index].begun = true;
  const std::uint32_t layout =
      acked_.has(wire::Feature::kRingPacked) ? vm::kPackedRing : vm::kSplitRing;
  for (vm::RingRecord* const record : {inflight_.ring(index), kept_.ring(index)}) {
    if (record != nullptr) __atomic_store_n(&record->layout, layout, __ATOMIC_RELEASE);
  }
  kept_.begin(acked_.bits());
}

void BalloonDevice::keep_driver_fields() noexcept {
  kept_.set_driver_fields(config_.actual(), config_.knows_actual(), config_.poison_value());
}

/// The room of the ledger in a new memory map.
void BalloonDevice::take_memory(std::shared_ptr<const gmem::GuestMemory> memory) {
  const bool first = path_.memory() == nullptr;
  const auto room = kept_.room_for(*memory);
  if (first) {
    left_ = room.filled ? kept_.left() : std::nullopt;
    undecided_ = left_.has_value();
  }
  path_.set_memory(std::move(memory),
                   {room.words, room.touched, room.filled && (!first || undecided_)});
  tables_provided_ = false;
  kept_.commit(!first && !undecided_);
  note_kept();
  if (undecided_ && !room.filled) {
    undecided_ = false;
    drop_left();
  }
}

/// @pre The rings are stopped, and what was gathered is discarded as far as it may be.
void BalloonDevice::note_complete() noexcept {
  const reclaim::ReclaimCounters& counters = path_.reclaim_counters();
  const bool served =
      std::any_of(rings_.begin(), rings_.end(), [](const RingState& ring) { return ring.begun; });
  if (served && counters.gathered_pages.get() == 0 && counters.kept_pages.get() == 0) {
    kept_.set_complete();
  }
}

}  // namespace vballoon::vhost
