// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_tick.cpp - work that is due and that nobody waits for.
#include <utility>

#include "base/in_hand.hpp"
#include "vhost/balloon_device.hpp"
#include "vhost/device_figures.hpp"

namespace vballoon::vhost {
namespace {

constexpr std::uint64_t kLookEveryMs = 500;

}  // namespace

void BalloonDevice::tick(std::uint64_t now_ms) {
  const InHand hand(this);
  note_slow();
  settle_in(now_ms);
  const bool lost = parts_.memory_lost();
  const bool shares = parts_.memory.shares_due();
  const bool looks = time_to_look(now_ms);
  const bool keeps = parts_.balloon.keep_due();
  const bool asks = parts_.target.asks(now_ms);
  if (!lost && !shares && !looks && !keeps && !asks && !parts_.target.notifies()) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;  // the event thread has the device: the next tick tries again
  if (lost) parts_.give_up_lost_memory();
  if (shares) parts_.memory.look_at_shares();
  if (looks) look();
  if (keeps) parts_.balloon.keep_again();
  if (asks) parts_.target.ask(parts_.session.channel.open());
  parts_.notify_if_due();
}

void BalloonDevice::look() {
  parts_.balloon.state().give_up_lost();
  parts_.slot.end_orphans();
  parts_.target.follow();
}

/// Nothing announces what look() finds, so it looks once in a while.
bool BalloonDevice::time_to_look(std::uint64_t now_ms) noexcept {
  if (now_ms < look_at_ms_) return false;
  look_at_ms_ = now_ms + kLookEveryMs;
  return true;
}

void BalloonDevice::note_slow() {
  const std::uint64_t moves = parts_.balloon.path().conduct()->lane_moves.get();
  if (std::exchange(lane_moves_, moves) != moves) parts_.notices.note(kSlow);
}

/// A device with a thread of its own goes back to its lcore once no thread has stood still in its
/// memory for a while.
void BalloonDevice::settle_in(std::uint64_t now_ms) {
  const reclaim::Conduct& conduct = *parts_.balloon.path().conduct();
  if (!conduct.alone.load(std::memory_order_relaxed) || conduct.slow(now_ms)) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;
  parts_.attachment.take_back();
  parts_.attachment.hand_over();
}

}  // namespace vballoon::vhost
