// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device.cpp - the functions that the vhost event thread calls; close().
#include "vhost/balloon_device.hpp"

#include <fmt/format.h>

#include <utility>

#include "vhost/arrived.hpp"
#include "vhost/exchanges.hpp"
#include "vhost/fd_reserve.hpp"
#include "vhost/message_check.hpp"
#include "vhost/room.hpp"

namespace vballoon::vhost {
namespace {

using Place = ConnectionSlot::Place;

Result<void> check_all(const Message& message) {
  for (std::size_t i = 0; i < message.fd_count(); ++i) {
    if (!leads_here(message.fd(i))) continue;
    return fail(Code::kInvalidArgument, "an end of a connection to this daemon, for it to keep");
  }
  return check_message(message);
}

/// False for the requests that come all the time: they need no descriptor.
bool may_need_descriptors(Request request) noexcept {
  return request != Request::kGetConfig && request != Request::kSetConfig;
}

}  // namespace

BalloonDevice::BalloonDevice(DeviceSpec spec, Seats& seats, MemoryClaims& claims,
                             reclaim::Discarder& discarder, const reclaim::ReclaimLimits& limits,
                             const vm::Folder* folder)
    : discarder_(discarder), parts_(std::move(spec), seats, claims, limits, folder) {}

bool BalloonDevice::connected(int vid) {
  const std::scoped_lock lock(mutex_);
  const bool client = parts_.spec.client;
  ConnectionSlot& slot = parts_.slot;
  if (!slot.admits(client)) return false;
  Connection connection = client ? Connection::made() : Connection::accepted();
  if (slot.has_waiting() || parts_.blame.standing() == Blame::Standing::kShutOut) {
    connection.shut_down();
    return true;
  }
  if (restore_ && !slot.taken()) {
    slot.serve(vid, std::move(connection));
    return true;
  }
  if (!admit(connection, client)) {
    connection.shut_down();
    return client;
  }
  if (slot.taken()) {
    slot.queue(vid, std::move(connection));
  } else {
    slot.serve(vid, std::move(connection));
    welcome();
  }
  return true;
}

/// From now on its messages leave the socket when they are answered. Until the connection is
/// recorded, an end of the daemon ends it, so there is little between accept(2) and that: whether
/// there are descriptors for a VMM that knocks was found out before (Gate).
bool BalloonDevice::admit(Connection& connection, bool client) {
  const std::size_t kept = parts_.kept.on() ? kRecordDescriptors : 0;
  const bool room = !client || FdReserve::get().leaves(FdReserve::kOfAVm + kept);
  if (!connection.valid() || !room) {
    parts_.notices.warn(fmt::format("a VMM is turned away: {}", no_descriptors_left()));
    return false;
  }
  auto begun = begin_exchange(connection.number());
  if (!begun) parts_.notices.warn("a VMM is turned away: " + begun.error().message);
  return begun.has_value();
}

void BalloonDevice::welcome() {
  for (unsigned index = 0; index < wire::kQueues; ++index) {
    const vm::RingRecord* const record = parts_.balloon.state().ring(index);
    // Marks of earlier connections say nothing of this one's rings.
    if (record != nullptr) parts_.session.guest.rings[index].renew_after(record->generation);
  }
  parts_.keep();
  parts_.notices.note(fmt::format("a VMM connected (process {})", parts_.slot.connection().peer()));
  if (const auto shortage = Room::short_of_memory()) parts_.notices.warn(*shortage);
}

void BalloonDevice::disconnected(int vid) {
  const std::scoped_lock lock(mutex_);
  ConnectionSlot& slot = parts_.slot;
  slot.drop_waiting(vid);
  if (slot.closed() || slot.place_of(vid) != Place::kServed) return;
  if (restore_) give_up_restore();
  const std::string end = slot.judge_end();
  // Before the guest's state is let go of: the next daemon is not to go on with half of it.
  parts_.kept.end();
  parts_.let_go();
  parts_.notices.note(end);
  if (!slot.advance()) return;
  parts_.kept.advance();
  welcome();
}

void BalloonDevice::give_up_restore() {
  parts_.notices.warn("its VMM's connection cannot be taken up, and ends");
  restore_.reset();
  restoring_.store(false);
}

bool BalloonDevice::close(bool hands_on) {
  const std::scoped_lock lock(mutex_);
  const bool stays = hands_on && parts_.kept.on();
  if (stays) parts_.balloon.state().hold();
  if (!stays) parts_.kept.end();
  // The thread that removes the device waits for the event thread, which may wait in the connection
  // until that is shut down.
  parts_.slot.close(stays);
  parts_.attachment.take_back();
  // The guest goes on without these pages, and the host is to have them. No later pass discards
  // what is gathered, so it is discarded now.
  if (parts_.blame.standing() == Blame::Standing::kServed) {
    reclaim::InlineSink here(discarder_);
    parts_.balloon.path().discard_gathered(here);
    parts_.balloon.note_complete(parts_.session.guest.rings);
  }
  parts_.let_go();
  return stays;
}

rte_vhost_msg_result BalloonDevice::before_message(int vid, Message message) {
  const std::scoped_lock lock(mutex_);
  const auto result = handle(vid, message);
  acting_ = result == RTE_VHOST_MSG_RESULT_NOT_HANDLED;
  return result;
}

rte_vhost_msg_result BalloonDevice::handle(int vid, Message message) {
  if (parts_.slot.closed()) {
    // A VMM may take a refusal for the answer, so none is sent: the connection ends.
    message.want_no_reply();
    return RTE_VHOST_MSG_RESULT_ERR;
  }
  const Place place = parts_.slot.place_of(vid);
  if (place == Place::kNone) return end_connection(message, "was turned away");
  if (restore_ && message.request() == kSwap) return swap(vid);
  Connection& connection = parts_.slot.connection_of(vid);
  connection.heard_from(arrived().sender());
  if (!connection.takes_answers()) return end_connection(message, "does not read its answers");
  if (arrived().lost()) return messages_.without_descriptors(message, place == Place::kServed);
  if (auto ok = check_all(message); !ok) {
    parts_.notices.refused(ok.error());
    return RTE_VHOST_MSG_RESULT_ERR;
  }
  if (may_need_descriptors(message.request())) FdReserve::get().open();
  if (parts_.kept.on() && (place == Place::kWaiting || !restore_)) {
    (place == Place::kServed ? parts_.kept.said() : parts_.kept.waiting()).hear(message);
  }
  return place == Place::kServed ? messages_.before(message) : answer_waiting(message);
}

/// After an error librte_vhost ends the connection, unless it has a reply to send.
rte_vhost_msg_result BalloonDevice::end_connection(Message message, const char* why) {
  parts_.notices.warn(fmt::format("the VMM {}; it is disconnected", why));
  message.want_no_reply();
  return RTE_VHOST_MSG_RESULT_ERR;
}

/// The first messages of a connection are about the protocol. For each of them the event thread
/// makes one round, in which it also sees the end of the old connection.
rte_vhost_msg_result BalloonDevice::answer_waiting(Message message) {
  if (!concerns_device(message.request())) return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
  if (message.request() == Request::kGetQueueNum) {
    message.reply_u64(wire::queues_of(parts_.spec.dialect()));
    return RTE_VHOST_MSG_RESULT_REPLY;
  }
  return end_connection(message, "wants the device while another one is connected");
}

void BalloonDevice::after_message(int vid, Message message) {
  const std::scoped_lock lock(mutex_);
  acting_ = false;
  if (parts_.slot.closed()) return;
  const Place place = parts_.slot.place_of(vid);
  if (place == Place::kWaiting) static_cast<void>(parts_.kept.waiting().accept());
  if (place != Place::kServed) return;
  messages_.after(message);
  parts_.keep_if_changed();
}

void BalloonDevice::ring_changed(int vid, unsigned index, bool ready) {
  const std::scoped_lock lock(mutex_);
  if (parts_.slot.closed() || parts_.slot.place_of(vid) != Place::kServed) return;
  parts_.rings.announced(index, ready);
  parts_.keep_if_changed();
}

}  // namespace vballoon::vhost
