// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/arrived.hpp"

#include <unistd.h>

#include <cstring>

namespace vballoon::vhost {

void Arrived::take(msghdr& message) noexcept {
  ours_ = true;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials{};
      std::memcpy(&credentials, CMSG_DATA(part), sizeof(credentials));
      sender_ = credentials.pid;
    }
    if (part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      if (count_ < fds_.size()) {
        fds_[count_++] = fd;
      } else {
        ::close(fd);
      }
    }
  }
  lost_ = (message.msg_flags & MSG_CTRUNC) != 0 && count_ < fds_.size();
}

void Arrived::keep(std::size_t count) noexcept {
  for (; count_ > count; --count_) ::close(fds_[count_ - 1]);
}

void Arrived::drop() noexcept {
  for (std::size_t i = 0; ours_ && i < count_; ++i) ::close(fds_[i]);
  count_ = 0;
  ours_ = false;
  lost_ = false;
  sender_ = 0;
}

std::span<const int> Arrived::release() noexcept {
  if (!ours_) return {};
  ours_ = false;
  return std::span(fds_).first(count_);
}

Arrived& arrived() noexcept {
  thread_local Arrived mine;
  return mine;
}

}  // namespace vballoon::vhost
