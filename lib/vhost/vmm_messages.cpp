// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/vmm_messages.hpp"

#include <fmt/format.h>

#include <span>
#include <utility>

#include "keep/lent.hpp"
#include "vhost/fd_reserve.hpp"

namespace vballoon::vhost {

rte_vhost_msg_result VmmMessages::before(Message message) {
  switch (message.request()) {
    case Request::kGetConfig:
      return get_config(message);
    case Request::kSetConfig:
      return set_config(message);
    case Request::kGetQueueNum:
      message.reply_u64(wire::queues_of(device_.spec.dialect()));
      return RTE_VHOST_MSG_RESULT_REPLY;
    case Request::kGetInflightFd:
      return get_inflight(message);
    case Request::kSetInflightFd:
      return set_inflight(message);
    // Ignored, as the protocol recommends. librte_vhost would lose the memory that it allocated for
    // the rings: some megabytes a message, until none is left for any VM of this daemon.
    case Request::kResetOwner:
      return RTE_VHOST_MSG_RESULT_OK;
    case Request::kSetMemTable:
      return claim_memory(message);
    case Request::kSetLogBase:
      return set_log(message);
    default:
      prepare(message);
      return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
  }
}

/// Prepares the device for what librte_vhost is going to do.
void VmmMessages::prepare(Message message) {
  RingControl& rings = device_.rings;
  switch (message.request()) {
    case Request::kSetBackendReqFd:
      return adopt_channel(message);
    case Request::kSetFeatures:
      return prepare_for(wire::Features(message.number(0)));
    case Request::kGetFeatures:
      if (device_.session.ends_unsaid) rings.end_all();
      return;
    case Request::kSetVringAddr:
      return rings.suspend(message.ring_index());
    // No front end changes the size or the base of a ring that runs: the ring is set up anew.
    case Request::kSetVringBase:
      return rings.renew(message.ring_index());
    case Request::kSetVringNum:
      return rings.end(message.ring_index());
    case Request::kSetVringEnable:
      if (message.ring_value() == 0) take_away(message.ring_index(), false);
      return;
    case Request::kSetVringKick:
      return rings.kicked(message.fd_ring_index());
    case Request::kGetVringBase:
      return take_away(message.ring_index(), true);
    default:
      return;
  }
}

/// The VMM may free the ring once it is answered, so by then it is stopped, and the next daemon
/// knows that.
void VmmMessages::take_away(unsigned ring, bool for_good) {
  if (for_good) {
    device_.rings.stop(ring);
  } else {
    device_.rings.disable(ring);
  }
  if (!device_.kept.on()) return;
  Said& said = device_.kept.said();
  if (const auto position = device_.session.guest.rings[ring].stopped_at()) {
    said.stand_at(ring, *position);
  }
  if (!for_good) return;
  said.take_away(ring);
  device_.keep();
}

void VmmMessages::after(Message message) {
  switch (message.request()) {
    case Request::kSetMemTable:
      load_memory();
      break;
    case Request::kSetFeatures:
      load_features();
      break;
    // librte_vhost has looked up the ring's addresses. Newer versions then put the ring back into
    // core files.
    case Request::kSetVringAddr:
    case Request::kSetVringKick:
      if (device_.memory.table_taken()) gmem::keep_out_of_core(*device_.balloon.path().memory());
      break;
    case Request::kGetInflightFd:
      device_.session.lent.reset();  // the reply is sent, and the front end has a duplicate
      break;
    default:
      break;
  }
  // Rings go on in new memory, and mark their places there, only when the next daemon knows of it.
  if (device_.kept.said().accept()) device_.keep();
  device_.rings.resume();
}

/// Without the VMM's newest memory table it is not known what is where in guest memory, so no ring
/// is served. But the balloon is known, and must not be lost with the connection.
rte_vhost_msg_result VmmMessages::without_descriptors(Message message, bool served) {
  device_.notices.warn(
      fmt::format("descriptors that came with vhost-user message {} could not be taken: {}",
                  static_cast<unsigned>(message.request()), no_descriptors_left()));
  if (served && message.request() == Request::kSetMemTable) {
    device_.memory.miss_table();
    device_.rings.suspend_all();
    device_.kept.said().forget_memory();
    device_.keep();
    if (!message.wants_reply()) return RTE_VHOST_MSG_RESULT_OK;
  } else if (served && !message.wants_reply()) {
    device_.slot.blame(no_descriptors_left());
  }
  return RTE_VHOST_MSG_RESULT_ERR;
}

rte_vhost_msg_result VmmMessages::claim_memory(Message message) {
  if (auto ok = device_.memory.claim(message, device_.slot.connection().process()); !ok) {
    device_.notices.refused(ok.error());
    return RTE_VHOST_MSG_RESULT_ERR;
  }
  device_.rings.suspend_all();
  device_.give_up_lost_memory();
  device_.memory.let_go_of_table();
  return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

void VmmMessages::load_memory() {
  device_.memory.take_table(*device_.slot.vid());
  if (!device_.memory.table_taken()) return;
  device_.prefault.settle(device_.slot.connection().process());
  device_.target.show();
  device_.balloon.provide_tables();
}

/// Prepares for a SET_FEATURES. A driver changes its features only by a reset, after which its
/// rings are over. LOG_ALL alone is the VMM's to change. librte_vhost refuses features that were
/// not offered; and any change, while all rings are ready.
void VmmMessages::prepare_for(wire::Features features) {
  constexpr auto kLog = wire::Feature::kLogAll;
  const wire::Features acked = device_.session.guest.acked;
  if ((features.bits() & ~device_.spec.offered().bits()) != 0) return;
  const bool same = features.without(kLog) == acked.without(kLog);
  if (same || acked == wire::Features{}) {
    device_.rings.suspend_all();
  } else {
    device_.rings.end_all();
  }
}

void VmmMessages::load_features() {
  std::uint64_t bits = 0;
  if (rte_vhost_get_negotiated_features(*device_.slot.vid(), &bits) != 0) return;
  Session& session = device_.session;
  const wire::Features before = std::exchange(session.guest.acked, wire::Features(bits));
  const wire::Features now = session.guest.acked;
  constexpr auto kProtocol = wire::Feature::kVhostProtocolFeatures;
  // Without PROTOCOL_FEATURES a VMM has no SET_VRING_ENABLE, by which it takes a ring away. A VMM
  // that had PROTOCOL_FEATURES and gives it up may know no other way. User Mode Linux is one: when
  // its rings are over, it only waits for an answer to GET_FEATURES. (Other VMMs send GET_FEATURES
  // while their rings run, to wait until earlier messages are handled.)
  session.ends_unsaid = !now.has(kProtocol) && (session.ends_unsaid || before.has(kProtocol));
  constexpr auto kPacked = wire::Feature::kRingPacked;
  if (before.has(kPacked) != now.has(kPacked)) device_.rings.forget_positions();
  device_.balloon.path().set_features(now);
}

rte_vhost_msg_result VmmMessages::get_config(Message message) const {
  auto payload = message.config();
  if (payload &&
      device_.balloon.config().read(payload->header.offset,
                                    std::span(payload->region).first(payload->header.size))) {
    message.reply_config(*payload);
  } else {
    message.reply_empty();
  }
  return RTE_VHOST_MSG_RESULT_REPLY;
}

rte_vhost_msg_result VmmMessages::set_config(Message message) {
  datapath::ConfigSpace& config = device_.balloon.config();
  const auto payload = message.config();
  const bool taken =
      payload &&
      config.write(payload->header.offset, std::span(payload->region).first(payload->header.size));
  device_.balloon.keep_driver_fields();
  if (config.knows_actual()) device_.target.hear();
  return taken ? RTE_VHOST_MSG_RESULT_OK : RTE_VHOST_MSG_RESULT_ERR;
}

/// Answers the message here, so that librte_vhost has no log and marks nothing. The answer has no
/// payload.
rte_vhost_msg_result VmmMessages::set_log(Message message) {
  device_.rings.suspend_all();
  if (auto replaced = device_.log.replace(message); !replaced) {
    device_.notices.refused(replaced.error());
    device_.rings.resume();
    return RTE_VHOST_MSG_RESULT_ERR;
  }
  message.reply_empty();
  if (device_.kept.said().accept()) device_.keep();
  return RTE_VHOST_MSG_RESULT_REPLY;
}

rte_vhost_msg_result VmmMessages::get_inflight(Message message) {
  auto payload = message.inflight();
  if (!payload || payload->queues == 0) return RTE_VHOST_MSG_RESULT_ERR;
  auto region = InflightRegion::create();
  if (!region) {
    device_.notices.warn(region.error().message);
    return RTE_VHOST_MSG_RESULT_ERR;
  }
  if (auto ok = lend(region->get()); !ok) {
    device_.notices.warn(ok.error().message);
    return RTE_VHOST_MSG_RESULT_ERR;
  }
  // Stays open here until the reply is sent (after()).
  UniqueFd& lent = device_.session.lent;
  lent = std::move(*region);
  payload->mmap_size = InflightRegion::kBytes;
  payload->mmap_offset = 0;
  message.reply_inflight(*payload, lent.get());
  return RTE_VHOST_MSG_RESULT_REPLY;
}

/// For the next daemon, which is to know whether the region was sent.
Result<void> VmmMessages::lend(int region) {
  if (!device_.kept.on()) return {};
  auto witness = keep::lock_lent(region);
  if (!witness) return tl::unexpected(witness.error());
  device_.kept.said().lend(*std::move(witness));
  device_.keep();
  return {};
}

rte_vhost_msg_result VmmMessages::set_inflight(Message message) {
  const auto payload = message.inflight();
  const auto fd = message.single_fd();
  if (!payload || !fd) return RTE_VHOST_MSG_RESULT_ERR;
  auto region = InflightRegion::map(*fd, payload->mmap_offset, payload->mmap_size);
  if (!region) {
    device_.notices.warn(region.error().message);
    return RTE_VHOST_MSG_RESULT_ERR;
  }
  device_.rings.suspend_all();
  device_.session.inflight = std::move(*region);
  return RTE_VHOST_MSG_RESULT_OK;
}

void VmmMessages::adopt_channel(Message message) {
  const auto fd = message.single_fd();
  if (fd && device_.session.channel.adopt(*fd)) return;
  device_.notices.warn(
      "the VMM's backend channel is not a UNIX socket; its guest will not be told of new "
      "targets");
}

}  // namespace vballoon::vhost
