// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/arrived.hpp - what came beside the bytes of the message that the event thread has in hand.
// Thread: each has its own; the vhost event thread's counts.
// Why:    librte_vhost forgets the descriptors of a message that it gives up on before it asks
//         anybody, and does not say who sent it. So they are kept from it (libc_calls.cpp), and put
//         into the message once that reaches us. Whatever is left over is closed.
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
  /// As many as a message can have; more end with it.
  static constexpr std::size_t kMaxFds = 8;

  Arrived() noexcept = default;
  Arrived(const Arrived&) = delete;
  Arrived& operator=(const Arrived&) = delete;
  ~Arrived() { drop(); }

  /// Of a message that was received. @pre drop()
  void take(msghdr& message) noexcept;
  /// Closes what nobody took, and forgets the rest.
  void drop() noexcept;

  [[nodiscard]] bool any() const noexcept { return count_ != 0; }
  /// Now the caller's to close.
  [[nodiscard]] std::span<const int> hand_over() noexcept;
  /// Descriptors were sent which the kernel could not give us: none was free.
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  /// The process that sent it; 0 where the kernel does not say.
  [[nodiscard]] pid_t sender() const noexcept { return sender_; }

 private:
  std::array<int, kMaxFds> fds_{};
  std::size_t count_ = 0;
  bool ours_ = false;  // to close
  bool lost_ = false;
  pid_t sender_ = 0;
};

/// This thread's.
[[nodiscard]] Arrived& arrived() noexcept;

}  // namespace vballoon::vhost
