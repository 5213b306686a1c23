// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device.cpp - what the vhost event thread does to a device.
#include "vhost/balloon_device.hpp"

#include <fmt/format.h>

#include <utility>

#include "vhost/arrived.hpp"
#include "vhost/fd_reserve.hpp"
#include "vhost/message_check.hpp"
#include "vhost/room.hpp"

namespace vballoon::vhost {
namespace {

constexpr std::chrono::milliseconds kBan{250};

Result<void> check_all(const Message& message) {
  for (std::size_t i = 0; i < message.fd_count(); ++i) {
    if (!leads_here(message.fd(i))) continue;
    return fail(Code::kInvalidArgument, "an end of a connection to this daemon, for it to keep");
  }
  return check_message(message);
}

/// What comes all the time needs no descriptor.
bool may_need_descriptors(Request request) noexcept {
  return request != Request::kGetConfig && request != Request::kSetConfig;
}

}  // namespace

BalloonDevice::BalloonDevice(DeviceSpec spec, Seats& seats, MemoryClaims& claims,
                             reclaim::Discarder& discarder, const reclaim::ReclaimLimits& limits,
                             const vm::Folder* folder)
    : spec_(std::move(spec)),
      claims_(claims),
      discarder_(discarder),
      seat_(seats),
      kept_(folder, spec_.name),
      path_(config_, limits),
      wants_prefault_(spec_.prefault) {
  path_.report(spec_.reporting);
  load_wishes();
}

bool BalloonDevice::connected(int vid) {
  const std::scoped_lock lock(mutex_);
  // In client mode librte_vhost would not try again; it comes back no more than once a second.
  if (closed_ || (!spec_.client && (successor_ || banned()))) return false;
  Connection connection = spec_.client ? Connection::made() : Connection::accepted();
  if (successor_) {
    connection.shut_down();
    return true;
  }
  if (!connection.valid() || !FdReserve::get().leaves(FdReserve::kOfAVm)) {
    warn(fmt::format("a VMM is turned away: {}", no_descriptors_left()));
    connection.shut_down();
    return spec_.client;
  }
  if (vid_) {
    successor_ = vid;
    next_connection_ = std::move(connection);
  } else {
    welcome(vid, std::move(connection));
  }
  return true;
}

void BalloonDevice::welcome(int vid, Connection connection) {
  vid_ = vid;
  connection_ = std::move(connection);
  note(fmt::format("a VMM connected (process {})", connection_.peer()));
  if (const auto shortage = Room::short_of_memory()) warn(*shortage);
}

/// librte_vhost ended the last connection because of what came, which may have cost the event
/// thread a wait; the next one has to wait itself. A VMM that went by itself is welcome at once.
bool BalloonDevice::banned() const noexcept {
  return std::chrono::steady_clock::now() < banned_until_;
}

void BalloonDevice::disconnected(int vid) {
  const std::scoped_lock lock(mutex_);
  if (successor_ == vid) {
    successor_.reset();
    next_connection_ = {};
  }
  if (closed_ || vid_ != vid) return;
  const std::string why = std::exchange(ended_why_, {});
  const bool by_itself = why.empty() && connection_.hung_up();
  if (!by_itself && why.empty()) banned_until_ = std::chrono::steady_clock::now() + kBan;
  let_go();
  note(by_itself     ? "the VMM disconnected"
       : why.empty() ? "the VMM was disconnected because of what it sent"
                     : fmt::format("the VMM was disconnected: {}", why));
  if (const auto next = std::exchange(successor_, std::nullopt)) {
    welcome(*next, std::exchange(next_connection_, {}));
  }
}

void BalloonDevice::close() {
  const std::scoped_lock lock(mutex_);
  // Whoever takes the device down waits for the event thread to let go of it.
  connection_.shut_down();
  next_connection_.shut_down();
  take_back();
  // The guest lives on, and what it was told is in the balloon is to be the host's: nobody comes
  // after us to see to that.
  reclaim::InlineSink here(discarder_);
  path_.discard_gathered(here);
  note_complete();
  next_connection_ = {};
  let_go();
  closed_ = true;
}

/// Back to where no VMM is. The operator's target stays: it is the VM's, not this boot's.
void BalloonDevice::let_go() {
  stop_rings();
  if (memory_lost_) kept_.forget();
  rings_ = {};
  left_.reset();
  undecided_ = false;
  inflight_ = {};
  lent_.reset();
  watch_.clear();
  forget_log();
  path_.release();
  tables_provided_ = false;
  kept_.release();
  claims_.drop(spec_.name);
  claimed_.clear();
  table_ = {};
  shared_ = 0;
  shared_with_.clear();
  no_prefault_.clear();
  channel_.close();
  config_.reset_driver_fields();
  static_cast<void>(question_.end());
  resident_then_.reset();
  ledger_whole_ = true;
  acked_ = {};
  memory_valid_ = false;
  memory_lost_ = false;
  table_missing_ = false;
  told_of_legacy_ = false;
  ends_unsaid_ = false;
  stats_patience_.forget();
  show_target();
  notify_due_.store(false, std::memory_order_relaxed);
  connection_ = {};
  vid_.reset();
}

void BalloonDevice::stop_rings() {
  take_back();
  for (RingState& ring : rings_) {
    if (ring.role) static_cast<void>(path_.stop(*ring.role));
    ring.role.reset();
  }
}

void BalloonDevice::take_back() {
  if (!std::exchange(attached_, false)) return;
  seat_.poller().detach(path_);
}

void BalloonDevice::hand_over() {
  if (attached_ || !path_.any_running()) return;
  seat_.poller().attach(path_, seat_.worker());
  attached_ = true;
}

rte_vhost_msg_result BalloonDevice::before_message(int vid, Message message) {
  const std::scoped_lock lock(mutex_);
  if (closed_) {
    // Not refused, which a VMM may take for the answer: the connection ends.
    message.want_no_reply();
    return RTE_VHOST_MSG_RESULT_ERR;
  }
  const bool waits = vid_ != vid;
  if (waits && successor_ != vid) return end_connection(message, "was turned away");
  Connection& connection = waits ? next_connection_ : connection_;
  connection.heard_from(arrived().sender());
  if (!connection.takes_answers()) return end_connection(message, "does not read its answers");
  if (arrived().lost()) return go_without_fds(message);
  if (auto ok = check_all(message); !ok) {
    warn(fmt::format("the VMM sent {}; that is refused", ok.error().message));
    return RTE_VHOST_MSG_RESULT_ERR;
  }
  if (may_need_descriptors(message.request())) FdReserve::get().open();
  if (waits) return answer_successor(message);
  if (message.request() == Request::kSetMemTable) {
    if (auto ok = claim_memory(message); !ok) {
      warn(fmt::format("the VMM sent {}; that is refused", ok.error().message));
      return RTE_VHOST_MSG_RESULT_ERR;
    }
  }
  return act_before(message);
}

/// What the message means to the device, which librte_vhost does not know of.
rte_vhost_msg_result BalloonDevice::act_before(Message message) {
  switch (message.request()) {
    case Request::kGetConfig:
      return get_config(message);
    case Request::kSetConfig:
      return set_config(message);
    case Request::kGetQueueNum:
      message.reply_u64(wire::kQueues);
      return RTE_VHOST_MSG_RESULT_REPLY;
    case Request::kSetBackendReqFd:
      adopt_channel(message);
      break;
    case Request::kGetInflightFd:
      return get_inflight(message);
    case Request::kSetInflightFd:
      return set_inflight(message);
    // As the protocol recommends. librte_vhost would forget, and keep, what it allocated for the
    // rings: some megabytes a message, until no VM of this daemon can have any.
    case Request::kResetOwner:
      return RTE_VHOST_MSG_RESULT_OK;
    case Request::kSetMemTable:
      memory_valid_ = false;
      table_missing_ = false;
      suspend_all();
      give_up_lost_memory();
      watch_.clear();
      break;
    case Request::kSetFeatures:
      prepare_for(wire::Features(message.number(0)));
      break;
    case Request::kGetFeatures:
      if (ends_unsaid_) end_rings();
      break;
    case Request::kSetLogBase:
      return set_log(message);
    case Request::kSetVringAddr:
      suspend(message.ring_index());
      break;
    // Of a ring that runs nobody moves the place, nor the size: it is set up anew.
    case Request::kSetVringNum:
    case Request::kSetVringBase:
      end_ring(message.ring_index());
      break;
    case Request::kSetVringKick:
      rings_[message.fd_ring_index()].over = false;
      break;
    case Request::kGetVringBase:
      stop_ring(message.ring_index());
      break;
    default:
      break;
  }
  return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

/// librte_vhost ends the connection where it has no reply to send.
rte_vhost_msg_result BalloonDevice::end_connection(Message message, const char* why) {
  warn(fmt::format("the VMM {}; it is disconnected", why));
  message.want_no_reply();
  return RTE_VHOST_MSG_RESULT_ERR;
}

/// Not the VMM's fault. Without its newest memory table nothing of it is served, for what is where
/// in it is not known; but what is in the balloon is, and it is not to be lost with the connection.
rte_vhost_msg_result BalloonDevice::go_without_fds(Message message) {
  const auto number = static_cast<unsigned>(message.request());
  warn(fmt::format("descriptors that came with vhost-user message {} could not be taken: {}",
                   number, no_descriptors_left()));
  if (vid_ && message.request() == Request::kSetMemTable) {
    memory_valid_ = false;
    table_missing_ = true;
    suspend_all();
    if (!message.wants_reply()) return RTE_VHOST_MSG_RESULT_OK;
  } else if (!message.wants_reply()) {
    ended_why_ = no_descriptors_left();
  }
  return RTE_VHOST_MSG_RESULT_ERR;
}

/// The first messages of a connection are about the protocol, and each takes the event thread one
/// round in which it also sees the old connection's end.
rte_vhost_msg_result BalloonDevice::answer_successor(Message message) {
  if (!concerns_device(message.request())) return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
  if (message.request() == Request::kGetQueueNum) {
    message.reply_u64(wire::kQueues);
    return RTE_VHOST_MSG_RESULT_REPLY;
  }
  return end_connection(message, "wants the device while another one is connected");
}

void BalloonDevice::after_message(int vid, Message message) {
  const std::scoped_lock lock(mutex_);
  if (closed_ || vid_ != vid) return;
  switch (message.request()) {
    case Request::kSetMemTable:
      if (!table_missing_) load_memory();
      break;
    case Request::kSetFeatures:
      load_features();
      break;
    // librte_vhost looked up the ring's addresses, and newer ones put it into core files.
    case Request::kSetVringAddr:
    case Request::kSetVringKick:
      if (memory_valid_) gmem::keep_out_of_core(*path_.memory());
      break;
    default:
      break;
  }
  resume_suspended();
}

void BalloonDevice::ring_changed(int vid, unsigned index, bool ready) {
  const std::scoped_lock lock(mutex_);
  if (closed_ || vid_ != vid || index >= rings_.size()) return;
  rings_[index].ready = ready && !rings_[index].over;
  if (rings_[index].ready) {
    start_ring(index);
  } else {
    stop_ring(index);
  }
  hand_over();
}

/// Before features are acknowledged. No driver changes its mind but by a reset, and then its rings
/// are over; the log alone is its VMM's. What was not offered librte_vhost refuses, and as long as
/// all rings are ready any change.
void BalloonDevice::prepare_for(wire::Features features) {
  constexpr auto kLog = wire::Feature::kLogAll;
  if ((features.bits() & ~spec_.offered().bits()) != 0) return;
  const bool same = features.without(kLog) == acked_.without(kLog);
  if (same || acked_ == wire::Features{}) {
    suspend_all();
  } else {
    end_rings();
    take_back();
  }
}

void BalloonDevice::load_features() {
  std::uint64_t bits = 0;
  if (rte_vhost_get_negotiated_features(*vid_, &bits) != 0) return;
  const wire::Features before = std::exchange(acked_, wire::Features(bits));
  constexpr auto kProtocol = wire::Feature::kVhostProtocolFeatures;
  // Without this one there is no SET_VRING_ENABLE to take a ring away with. Who had it, and lets it
  // go, may know no other way, as User Mode Linux: all that it does then is to wait for an answer
  // to GET_FEATURES. (Others use that to wait for what came before it, while their rings run.)
  ends_unsaid_ = !acked_.has(kProtocol) && (ends_unsaid_ || before.has(kProtocol));
  // A place in a ring of the other layout is no place in this one.
  if (before.has(wire::Feature::kRingPacked) != acked_.has(wire::Feature::kRingPacked)) {
    for (RingState& ring : rings_) ring.stopped.reset();
  }
  path_.set_features(acked_);
}

rte_vhost_msg_result BalloonDevice::get_config(Message message) const {
  auto payload = message.config();
  if (!payload || !config_.read(payload->header.offset,
                                std::span(payload->region).first(payload->header.size))) {
    message.reply_empty();
    return RTE_VHOST_MSG_RESULT_REPLY;
  }
  message.reply_config(*payload);
  return RTE_VHOST_MSG_RESULT_REPLY;
}

rte_vhost_msg_result BalloonDevice::set_config(Message message) {
  const auto payload = message.config();
  const bool taken =
      payload &&
      config_.write(payload->header.offset, std::span(payload->region).first(payload->header.size));
  keep_driver_fields();
  if (config_.knows_actual()) hear_size();
  return taken ? RTE_VHOST_MSG_RESULT_OK : RTE_VHOST_MSG_RESULT_ERR;
}

void BalloonDevice::warn(const std::string& what) {
  std::uint64_t dropped = 0;
  if (!log_gate_.open(&dropped)) return;
  log::warn("{}: {}", spec_.name, what);
  if (dropped != 0) log::warn("{}: {} more warnings were not shown", spec_.name, dropped);
}

/// Also a VMM's doing, and as often as it likes.
void BalloonDevice::note(const std::string& what) {
  std::uint64_t dropped = 0;
  if (!note_gate_.open(&dropped)) return;
  log::info("{}: {}", spec_.name, what);
  if (dropped != 0) log::info("{}: {} more notes were not shown", spec_.name, dropped);
}

}  // namespace vballoon::vhost
