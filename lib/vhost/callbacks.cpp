// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/callbacks.hpp"

#include <array>
#include <climits>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "base/in_hand.hpp"
#include "vhost/arrived.hpp"
#include "vhost/gate.hpp"
#include "vhost/message_at_hand.hpp"
#include "vhost/room.hpp"

namespace vballoon::vhost {
namespace {

/// librte_vhost has at most 1024 connections (RTE_MAX_VHOST_DEVICE), numbered from 0.
constexpr std::size_t kMaxConnections = 1024;

struct Served {
  std::shared_ptr<BalloonDevice> device;  // a callback that is under way keeps the device alive
  Room* room = nullptr;                   // the connection takes an entry of it until its end
};

struct Directory {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<BalloonDevice>> by_path;  // devices in client mode
  std::array<Served, kMaxConnections> by_vid;
};

Directory& directory() {
  static Directory the_directory;
  return the_directory;
}

std::shared_ptr<BalloonDevice> find(int vid) {
  Directory& dir = directory();
  const std::scoped_lock lock(dir.mutex);
  const auto index = static_cast<std::size_t>(vid);
  return index < kMaxConnections ? dir.by_vid[index].device : nullptr;
}

/// @return the device that a new connection belongs to.
Served whose(int vid) {
  std::array<char, PATH_MAX> path{};
  if (rte_vhost_get_ifname(vid, path.data(), path.size()) != 0) return {};
  if (std::string_view(path.data()).starts_with(Gate::kNames)) {
    Visitor visitor = take_visitor();
    return {std::move(visitor.device), visitor.room};
  }
  Directory& dir = directory();
  const std::scoped_lock lock(dir.mutex);
  const auto found = dir.by_path.find(path.data());
  return {found == dir.by_path.end() ? nullptr : found->second};
}

/// @return the entry before.
Served set_vid(int vid, Served served) {
  Directory& dir = directory();
  const std::scoped_lock lock(dir.mutex);
  return std::exchange(dir.by_vid[static_cast<std::size_t>(vid)], std::move(served));
}

rte_vhost_msg_result on_before_message(int vid, void* context) {
  const auto device = find(vid);
  const InHand hand(device.get());
  Message message(context);
  message.attach(arrived().release());
  const auto result =
      device != nullptr ? device->before_message(vid, message) : RTE_VHOST_MSG_RESULT_ERR;
  // librte_vhost no longer looks at a message that was handled here, nor at its descriptors. But
  // the descriptor of a reply to GET_INFLIGHT_FD is still to be sent.
  const bool lends =
      result == RTE_VHOST_MSG_RESULT_REPLY && message.request() == Request::kGetInflightFd;
  if (result != RTE_VHOST_MSG_RESULT_NOT_HANDLED && !lends) message.close_fds();
  return result;
}

rte_vhost_msg_result on_after_message(int vid, void* context) {
  const Message message(context);
  const auto device = find(vid);
  const InHand hand(device.get());
  if (device != nullptr) device->after_message(vid, message);
  // An answer is sent before this, an acknowledgement after it: with either the message is done.
  if (!message.wants_reply()) message_at_hand().finish();
  return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

constexpr rte_vhost_user_extern_ops kMessageOps{.pre_msg_handle = on_before_message,
                                                .post_msg_handle = on_after_message};

int on_connection(int vid) {
  Served served = whose(vid);
  if (served.device == nullptr || static_cast<std::size_t>(vid) >= kMaxConnections) return -1;
  const InHand hand(served.device.get());
  if (!served.device->connected(vid)) return -1;
  if (served.room != nullptr) served.room->take();
  set_vid(vid, std::move(served));
  return rte_vhost_extern_callback_register(vid, &kMessageOps, nullptr);
}

void on_disconnection(int vid) {
  arrived().drop();  // descriptors of a message that no handler saw
  const Served served = set_vid(vid, {});
  if (served.room != nullptr) served.room->give_back();
  const InHand hand(served.device.get());
  if (served.device != nullptr) served.device->disconnected(vid);
}

int on_ring_changed(int vid, std::uint16_t index, int enable) {
  const auto device = find(vid);
  const InHand hand(device.get());
  if (device != nullptr) device->ring_changed(vid, index, enable != 0);
  return 0;
}

// "All rings are ready" has no meaning here: rings start and stop one by one.
int on_all_ready(int) {
  return 0;
}
void on_not_all_ready(int) {}

}  // namespace

void bind_path(const std::string& path, std::shared_ptr<BalloonDevice> device) {
  Directory& dir = directory();
  const std::scoped_lock lock(dir.mutex);
  dir.by_path[path] = std::move(device);
}

void unbind(const BalloonDevice& device) {
  Directory& dir = directory();
  const std::scoped_lock lock(dir.mutex);
  std::erase_if(dir.by_path, [&](const auto& entry) { return entry.second.get() == &device; });
  for (Served& served : dir.by_vid) {
    if (served.device.get() == &device) served.device = nullptr;
  }
}

const rte_vhost_device_ops& device_ops() noexcept {
  static const rte_vhost_device_ops ops = [] {
    rte_vhost_device_ops all{};
    all.new_device = on_all_ready;
    all.destroy_device = on_not_all_ready;
    all.vring_state_changed = on_ring_changed;
    all.new_connection = on_connection;
    all.destroy_connection = on_disconnection;
    return all;
  }();
  return ops;
}

}  // namespace vballoon::vhost
