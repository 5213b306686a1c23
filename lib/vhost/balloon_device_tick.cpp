// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_tick.cpp - what is due and nobody waits for; and the control thread's way to
//                                 a device that the event thread is at.
#include <fmt/format.h>

#include <thread>
#include <utility>

#include "base/clock.hpp"
#include "base/guest_page.hpp"
#include "vhost/balloon_device.hpp"

namespace vballoon::vhost {
namespace {

using wire::Role;

constexpr std::chrono::milliseconds kLookEvery{500};
constexpr const char* kOrphaned = "its process is gone, and only its connection was left";

}  // namespace

/// The lock, unless the event thread has it for long: it waits for a thread that stands still in
/// this VM's memory. The control thread serves all VMs and does not wait with it.
std::unique_lock<std::mutex> BalloonDevice::knock(std::chrono::milliseconds patience) const {
  std::unique_lock lock(mutex_, std::try_to_lock);
  for (auto waited = patience; !lock.owns_lock() && waited.count() > 0; --waited) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    static_cast<void>(lock.try_lock());
  }
  return lock;
}

tl::unexpected<Status> BalloonDevice::busy() const {
  return fail(
      Code::kUnavailable,
      fmt::format("'{}' cannot be asked now: a message of its VMM waits for its memory, on whose "
                  "file that VMM works; try again",
                  spec_.name));
}

void BalloonDevice::tick() {
  note_slow();
  settle_in();
  const bool lost = shared_memory_lost();
  const bool shares = claims_seen_.load(std::memory_order_relaxed) != claims_.generation();
  const bool looks = time_to_look();
  const bool keeps = keep_due_.load(std::memory_order_relaxed);
  const bool asks = question_.due(now_ms());
  const bool notifies = notify_due_.load(std::memory_order_relaxed);
  if (!lost && !shares && !looks && !keeps && !asks && !notifies) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;  // the event thread is at it: the next time
  if (lost) give_up_lost_memory();
  if (shares) look_at_shares();
  if (looks) look();
  if (keeps) keep_again();
  if (asks) ask_size();
  notify_if_due();
}

/// A guest says by and by how large it is, and a share is one of that. What its figures waver by is
/// no news.
void BalloonDevice::look() {
  kept_.give_up_lost();
  end_orphans();
  const bool follows = wanted_.size.share && config_.knows_actual();
  const std::uint64_t shown = pages_to_bytes(config_.num_pages());
  if (follows && !at_target(shown, pages_to_bytes(true_target()))) show_target();
}

/// What nobody tells of: once in a while is enough.
bool BalloonDevice::time_to_look() noexcept {
  const auto now = std::chrono::steady_clock::now();
  if (now < look_at_) return false;
  look_at_ = now + kLookEvery;
  return true;
}

/// A process that ended takes its connection along, unless somebody holds its end: we, for one,
/// among the descriptors that it handed over.
void BalloonDevice::end_orphans() {
  const auto now = Connection::Clock::now();
  for (Connection* connection : {&connection_, &next_connection_}) {
    if (!connection->valid() || !connection->orphaned(now)) continue;
    if (connection == &connection_) ended_why_ = kOrphaned;
    connection->shut_down();
  }
}

void BalloonDevice::note_slow() {
  const std::uint64_t moves = path_.conduct()->lane_moves.get();
  if (std::exchange(lane_moves_, moves) != moves) note(kSlow);
}

/// Nobody has stood still in its memory for long: it goes back to its lcore.
void BalloonDevice::settle_in() {
  const reclaim::Conduct& conduct = *path_.conduct();
  if (!conduct.alone.load(std::memory_order_relaxed) || conduct.slow(now_ms())) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;
  take_back();
  hand_over();
}

bool BalloonDevice::shared_memory_lost() const noexcept {
  return watch_.lost() || log_watch_.lost();
}

/// The poll lcore went on with zeroes in the place of what it had to read; it is to read no more.
void BalloonDevice::give_up_lost_memory() {
  if (!shared_memory_lost() || std::exchange(memory_lost_, true)) return;
  stop_rings();
  warn(kMemoryLost);
}

/// A VMM may only be told while the device runs: QEMU's generic device has no virtio device to ask
/// before, and crashes. A driver that starts later reads the target by itself.
void BalloonDevice::notify_if_due() {
  if (!notify_due_.load(std::memory_order_relaxed) || !path_.running(Role::kInflate)) return;
  if (channel_.notify_config_change() != BackendChannel::Sent::kLater) {
    notify_due_.store(false, std::memory_order_relaxed);
  }
}

}  // namespace vballoon::vhost
