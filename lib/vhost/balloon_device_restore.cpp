// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_restore.cpp - a device goes on with the connection of an earlier daemon.
#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "vhost/balloon_device.hpp"
#include "vhost/exchanges.hpp"
#include "vhost/libc_events.hpp"

namespace vballoon::vhost {
namespace {

/// The file is there, but it may be one that cannot be opened, or be mapped, or trusted.
bool is_of(const vm::DeviceState& state, const Record& record) noexcept {
  return state.inode() == record.state_inode;
}

}  // namespace

void BalloonDevice::use_bag(std::unique_ptr<StoredBag> bag, std::string settings,
                            const Listener* door) {
  parts_.kept.use(std::move(bag));
  static_cast<void>(parts_.kept.set_settings(std::move(settings)));
  if (door != nullptr) parts_.kept.set_door(door->door());
  parts_.balloon.state().keep_elder();
}

void BalloonDevice::keep_in(std::unique_ptr<StoredBag> bag, std::string settings,
                            const Listener* door) {
  const std::scoped_lock lock(mutex_);
  use_bag(std::move(bag), std::move(settings), door);
  parts_.kept.put_device();
}

/// Until the swap the bag has what an earlier daemon put there, and with the swap all is recorded.
void BalloonDevice::keep_settings(std::string lines) {
  const std::scoped_lock lock(mutex_);
  if (!parts_.kept.on() || !parts_.kept.set_settings(std::move(lines)) || restore_) return;
  if (parts_.slot.taken()) {
    parts_.keep();
  } else {
    parts_.kept.put_device();
  }
}

Result<UniqueFd> BalloonDevice::take_up(Inheritance inheritance, const Listener* door) {
  const std::scoped_lock lock(mutex_);
  StoredBag& bag = *inheritance.bag;
  use_bag(std::move(inheritance.bag), inheritance.record.settings, door);
  auto restore = std::make_unique<Restore>(std::move(inheritance), parts_.balloon.state().left());
  std::string why = restore->why_not(parts_.spec);
  if (parts_.blame.standing() == Blame::Standing::kShutOut) why = parts_.blame.why_not_served();
  if (!why.empty()) {
    parts_.kept.put_device();
    return fail(Code::kUnavailable, why);
  }
  if (restore->needs_state() && !is_of(parts_.balloon.state(), restore->record())) {
    parts_.kept.put_device();
    return fail(Code::kHost, "what was kept of its balloon cannot be used");
  }
  Result<UniqueFd> begun;
  if (auto counted = restore->count(bag.bag(), parts_.kept.door()); !counted) {
    begun = tl::unexpected(counted.error());
  } else {
    begun = restore->begin();
  }
  if (!begun) {
    parts_.kept.put_device();
    return begun;
  }
  Session& session = parts_.session;
  session.restores = true;
  session.memory.claimed_by = peer_of(restore->connection());
  session.guest.handed_on = !restore->record().undecided;
  session.ends_unsaid = restore->record().ends_unsaid;
  session.guest.ledger_whole = restore->record().ledger_whole;
  restore_ = std::move(restore);
  restoring_.store(true);
  return begun;
}

/// All was repeated. From here on the VMM itself is heard.
rte_vhost_msg_result BalloonDevice::swap(int vid) {
  const std::unique_ptr<Restore> restore = std::move(restore_);
  const Result<void> done = go_on_with(*restore, vid);
  restoring_.store(false);
  if (done) return RTE_VHOST_MSG_RESULT_OK;
  parts_.notices.warn(fmt::format("its VMM's connection ends: {}", done.error().message));
  parts_.kept.end();
  return RTE_VHOST_MSG_RESULT_ERR;
}

Result<void> BalloonDevice::go_on_with(Restore& restore, int vid) {
  Session& session = parts_.session;
  // Where the ledger was found, this was cleared.
  if (restore.left() && std::exchange(session.guest.handed_on, false)) {
    return fail(Code::kHost, "what was kept of its balloon is not of its memory");
  }
  for (unsigned index = 0; index < wire::kQueues; ++index) {
    if (!parts_.rings.take_up(index, restore.record().rings[index], restore.left_of(index))) {
      return fail(Code::kInvalidArgument, fmt::format("ring {} is not where it was left", index));
    }
  }
  const int number = parts_.slot.connection_of(vid).number();
  if (const int error = give_number(restore.connection(), number); error != 0) {
    return fail(Code::kHost, std::strerror(error));
  }
  parts_.slot.replace(Connection::taken_up(number));
  if (auto ok = take_up_exchange(number, restore.take_answers(), restore.witness()); !ok) return ok;
  parts_.kept.said() = restore.take_said();
  parts_.kept.said().forget_lent();
  parts_.kept.set_restarts(restore.restarts());
  session.restores = false;
  session.guest.handed_on = false;
  parts_.keep();
  parts_.target.notify();
  parts_.rings.resume();
  parts_.notices.note(
      fmt::format("goes on with its VMM (process {})", parts_.slot.connection().peer()));
  return {};
}

}  // namespace vballoon::vhost
