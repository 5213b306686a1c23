// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/backend_channel.hpp - the socket on which the backend tells the VMM of config changes.
// Thread: the device's lock guards all of it. Nothing waits.
// Source: vhost-user, VHOST_USER_SET_BACKEND_REQ_FD and VHOST_USER_BACKEND_CONFIG_CHANGE_MSG.
//
// Why:    rte_vhost_backend_config_change() blocks on a VMM that does not read, and the vhost event
//         thread may free its device meanwhile.
#pragma once

#include "base/unique_fd.hpp"

namespace vballoon::vhost {

class BackendChannel {
 public:
  /// Keeps a duplicate of the descriptor. @return false, and there is no channel, when it is not a
  /// UNIX stream socket.
  bool adopt(int fd);

  enum class Sent { kYes, kLater, kNoChannel };
  /// Sends one config-change message, without waiting. kLater: the VMM's buffer is full.
  Sent notify_config_change();

  [[nodiscard]] bool open() const noexcept { return fd_.valid(); }

 private:
  UniqueFd fd_;
};

}  // namespace vballoon::vhost
