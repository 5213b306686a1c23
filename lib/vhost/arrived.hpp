// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/arrived.hpp - the descriptors and the sender of the message that the event thread handles.
// Thread: each thread has its own object; only the vhost event thread's has a use.
// Why:    librte_vhost may give up on a message before it calls a handler. It then loses the
//         message's descriptors, and it never tells the sender. So libc_messages.cpp keeps the
//         descriptors from librte_vhost, and the handler puts them into the message. Descriptors
//         that no handler takes are closed.
// Source: unix(7), SCM_RIGHTS and SCM_CREDENTIALS; DPDK lib/vhost/vhost_user.c,
//         vhost_user_msg_handler(): "failed to alloc queue" (22.11 to 26.07).
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <span>

namespace vballoon::vhost {

class Arrived {
 public:
  /// The most that a message of librte_vhost's can have. Further ones are closed.
  static constexpr std::size_t kMaxFds = 8;
  /// Control data of a message with so many descriptors and the credentials of its sender.
  static constexpr std::size_t kControlBytes =
      CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(kMaxFds * sizeof(int));

  Arrived() noexcept = default;
  Arrived(const Arrived&) = delete;
  Arrived& operator=(const Arrived&) = delete;
  ~Arrived() { drop(); }

  /// Takes descriptors and sender of a message that was received. @pre drop() was called.
  void take(msghdr& message) noexcept;
  /// Closes all but the first so many descriptors. @pre none were released
  void keep(std::size_t count) noexcept;
  /// Closes the descriptors that were not released, and forgets all.
  void drop() noexcept;

  [[nodiscard]] bool any() const noexcept { return count_ != 0; }
  /// @return the descriptors, which the caller closes from now on.
  [[nodiscard]] std::span<const int> release() noexcept;
  /// Whether the kernel dropped descriptors of the message, because none was free here.
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  /// The process that sent the message; 0 where the kernel does not say.
  [[nodiscard]] pid_t sender() const noexcept { return sender_; }

 private:
  std::array<int, kMaxFds> fds_{};
  std::size_t count_ = 0;
  bool ours_ = false;  // drop() closes them
  bool lost_ = false;
  pid_t sender_ = 0;
};

/// @return the calling thread's object.
[[nodiscard]] Arrived& arrived() noexcept;

}  // namespace vballoon::vhost
