// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/driver.hpp"

#include <fmt/format.h>

#include "vhost/callbacks.hpp"

namespace vballoon::vhost {
namespace {

// vhost-user protocol feature bits. Not STATUS: librte_vhost would wait for a DRIVER_OK that QEMU's
// generic device never sends.
constexpr std::uint64_t kProtocolFeatures = (1ULL << 0)      // MQ
                                            | (1ULL << 1)    // LOG_SHMFD
                                            | (1ULL << 3)    // REPLY_ACK
                                            | (1ULL << 5)    // BACKEND_REQ
                                            | (1ULL << 9)    // CONFIG
                                            | (1ULL << 10)   // BACKEND_SEND_FD
                                            | (1ULL << 12);  // INFLIGHT_SHMFD

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
