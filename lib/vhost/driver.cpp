// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/driver.hpp"

#include <fmt/format.h>

#include "vhost/callbacks.hpp"
#include "wire/vhost_user.hpp"

namespace vballoon::vhost {
namespace {

namespace protocol = wire::protocol;

// Without STATUS: librte_vhost would wait for a DRIVER_OK that QEMU's generic device never sends.
constexpr std::uint64_t kProtocolFeatures =
    protocol::kMq | protocol::kLogShmfd | protocol::kReplyAck | protocol::kBackendReq |
    protocol::kConfig | protocol::kBackendSendFd | protocol::kInflightShmfd;

constexpr std::uint64_t bit(unsigned number) {
  return std::uint64_t{1} << number;
}
// The two features of the backend's channel have other names from DPDK 23.03 on.
static_assert(protocol::kMq == bit(VHOST_USER_PROTOCOL_F_MQ) &&
              protocol::kLogShmfd == bit(VHOST_USER_PROTOCOL_F_LOG_SHMFD) &&
              protocol::kReplyAck == bit(VHOST_USER_PROTOCOL_F_REPLY_ACK) &&
              protocol::kConfig == bit(VHOST_USER_PROTOCOL_F_CONFIG) &&
              protocol::kInflightShmfd == bit(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD) &&
              protocol::kStatus == bit(VHOST_USER_PROTOCOL_F_STATUS));
static_assert(static_cast<unsigned>(wire::Feature::kVhostProtocolFeatures) ==
              VHOST_USER_F_PROTOCOL_FEATURES);

}  // namespace

Result<void> register_driver(const std::string& name, std::uint64_t flags, wire::Features offered) {
  const char* const path = name.c_str();
  const auto no = [&name] {
    return fail(Code::kHost,
                fmt::format("cannot register the vhost-user socket {}; see the log for "
                            "librte_vhost's reason",
                            name));
  };
  if (rte_vhost_driver_register(path, flags) != 0) return no();
  const bool ready = rte_vhost_driver_set_features(path, offered.bits()) == 0 &&
                     rte_vhost_driver_set_protocol_features(path, kProtocolFeatures) == 0 &&
                     rte_vhost_driver_callback_register(path, &device_ops()) == 0;
  if (ready) return {};
  rte_vhost_driver_unregister(path);
  return no();
}

}  // namespace vballoon::vhost
