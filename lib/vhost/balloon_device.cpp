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
  if (slot.has_waiting()) {
    connection.shut_down();
    return true;
  }
  if (!connection.valid() || !FdReserve::get().leaves(FdReserve::kOfAVm)) {
    parts_.notices.warn(fmt::format("a VMM is turned away: {}", no_descriptors_left()));
    connection.shut_down();
    return client;
  }
  if (auto begun = begin_exchange(connection.number()); !begun) {
    parts_.notices.warn(fmt::format("a VMM is turned away: {}", begun.error().message));
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

void BalloonDevice::welcome() {
  parts_.notices.note(fmt::format("a VMM connected (process {})", parts_.slot.connection().peer()));
  if (const auto shortage = Room::short_of_memory()) parts_.notices.warn(*shortage);
}

void BalloonDevice::disconnected(int vid) {
  const std::scoped_lock lock(mutex_);
  ConnectionSlot& slot = parts_.slot;
  slot.drop_waiting(vid);
  if (slot.closed() || slot.place_of(vid) != Place::kServed) return;
  const std::string end = slot.judge_end();
  parts_.let_go();
  parts_.notices.note(end);
  if (slot.advance()) welcome();
}

void BalloonDevice::close() {
  const std::scoped_lock lock(mutex_);
  // The thread that removes the device waits for the event thread, which may wait in the connection
  // until that is shut down.
  parts_.slot.close();
  parts_.attachment.take_back();
  // The guest goes on without these pages, and the host is to have them. No later pass discards
  // what is gathered, so it is discarded now.
  reclaim::InlineSink here(discarder_);
  parts_.balloon.path().discard_gathered(here);
  parts_.balloon.note_complete(parts_.session.guest.rings);
  parts_.let_go();
}

rte_vhost_msg_result BalloonDevice::before_message(int vid, Message message) {
  const std::scoped_lock lock(mutex_);
  if (parts_.slot.closed()) {
    // A VMM may take a refusal for the answer, so none is sent: the connection ends.
    message.want_no_reply();
    return RTE_VHOST_MSG_RESULT_ERR;
  }
  const Place place = parts_.slot.place_of(vid);
  if (place == Place::kNone) return end_connection(message, "was turned away");
  Connection& connection = parts_.slot.connection_of(vid);
  connection.heard_from(arrived().sender());
  if (!connection.takes_answers()) return end_connection(message, "does not read its answers");
  if (arrived().lost()) return messages_.without_descriptors(message, place == Place::kServed);
  if (auto ok = check_all(message); !ok) {
    parts_.notices.refused(ok.error());
    return RTE_VHOST_MSG_RESULT_ERR;
  }
  if (may_need_descriptors(message.request())) FdReserve::get().open();
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
    message.reply_u64(wire::kQueues);
    return RTE_VHOST_MSG_RESULT_REPLY;
  }
  return end_connection(message, "wants the device while another one is connected");
}

void BalloonDevice::after_message(int vid, Message message) {
  const std::scoped_lock lock(mutex_);
  if (parts_.slot.closed() || parts_.slot.place_of(vid) != Place::kServed) return;
  messages_.after(message);
}

void BalloonDevice::ring_changed(int vid, unsigned index, bool ready) {
  const std::scoped_lock lock(mutex_);
  if (parts_.slot.closed() || parts_.slot.place_of(vid) != Place::kServed) return;
  parts_.rings.announced(index, ready);
}

}  // namespace vballoon::vhost
