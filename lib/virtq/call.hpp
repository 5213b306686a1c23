// SPDX-License-Identifier: BSD-3-Clause
//
// virtq/call.hpp - tell the driver that buffers were used: the vring's call file descriptor.
// Thread: the owner of the queue.
// Source: vhost-user, VHOST_USER_SET_VRING_CALL. An eventfd by the book; User Mode Linux gives one
//         of a pair of UNIX sockets.
#pragma once

#include "base/unique_fd.hpp"

namespace vballoon::virtq {

/// Does not block unless the VMM makes it: the flag of an eventfd belongs to the open file, which
/// is the VMM's as well, and an eventfd can be filled. Such a call is held up until
/// release_held_calls(). Needs no retry: used buffers are published before the call, and a full
/// socket or a saturated eventfd means that an earlier call is still unread. Its reader will see
/// the buffers.
class Call {
 public:
  enum class Sent {
    kNobody,  ///< there is no descriptor
    kCalled,
    kHeldUp,  ///< the VMM made it wait; from now on its driver is not called
  };

  Call() noexcept = default;
  /// Keeps a descriptor of its own.
  /// @param fd  -1, or one that fits() not: the driver is not called.
  explicit Call(int fd) noexcept;

  enum class Kind { kEventfd, kSocket, kOther };

  /// Whether it is an eventfd or a UNIX socket. A write to anything else might have to wait: for a
  /// terminal's reader, the server of a FUSE file, a pipe's reader that is stopped in a page
  /// fault with the pipe locked. None of them is asked to find out.
  [[nodiscard]] static bool fits(int fd) noexcept;

  Sent signal() noexcept;

 private:
  Kind kind_ = Kind::kOther;
  UniqueFd fd_;
};

/// Interrupts (SIGUSR2) every thread that is in the same call as the last time that this was asked.
/// Thread: one of its own, that never waits for the others; every few milliseconds.
void release_held_calls() noexcept;

}  // namespace vballoon::virtq
