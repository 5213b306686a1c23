// SPDX-License-Identifier: BSD-3-Clause
//
// virtq/call.hpp - tell the driver that buffers were used: the vring's call file descriptor.
// Layer:  virtq; may include base/. Thread: the owner of the queue.
// Source: vhost-user, VHOST_USER_SET_VRING_CALL. An eventfd by the book, a pipe in User Mode Linux.
#pragma once

#include "base/unique_fd.hpp"

namespace vballoon::virtq {

/// Never blocks. Needs no retry either: used buffers are published before the call, and a full pipe
/// or a saturated eventfd means that an earlier call is still unread, whose reader will see them.
class Call {
 public:
  Call() noexcept = default;
  /// Keeps a descriptor of its own. @param fd  -1: the driver is not called, it polls.
  explicit Call(int fd) noexcept;

  /// @return true when a system call was made for it.
  bool signal() noexcept;

 private:
  UniqueFd fd_;
};

}  // namespace vballoon::virtq
