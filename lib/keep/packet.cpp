// SPDX-License-Identifier: BSD-3-Clause
#include "keep/packet.hpp"

#include <cerrno>
#include <cstring>

#include "base/check.hpp"

namespace vballoon::keep {
namespace {

constexpr std::size_t kFdBytes = CMSG_SPACE(kMaxDescriptors * sizeof(int));

void attach(msghdr& message, std::span<std::byte> room, std::span<const int> fds) noexcept {
  if (fds.empty()) return;
  message.msg_control = room.data();
  message.msg_controllen = CMSG_SPACE(fds.size_bytes());
  cmsghdr* const part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
}

void take_descriptors(const cmsghdr& part, Packet* packet) {
  const std::size_t count = (part.cmsg_len - CMSG_LEN(0)) / sizeof(int);
  std::array<int, kMaxDescriptors> fds{};
  std::memcpy(fds.data(), CMSG_DATA(&part), count * sizeof(int));
  packet->descriptors.reserve(packet->descriptors.size() + count);
  for (const int fd : std::span(fds).first(count)) packet->descriptors.emplace_back(fd);
}

void take_sender(const cmsghdr& part, Packet* packet) noexcept {
  ucred credentials{};
  std::memcpy(&credentials, CMSG_DATA(&part), sizeof(credentials));
  packet->process = credentials.pid;
  packet->user = credentials.uid;
}

void take_control(msghdr& message, Packet* packet) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_RIGHTS) take_descriptors(*part, packet);
    if (part->cmsg_type == SCM_CREDENTIALS) take_sender(*part, packet);
  }
}

}  // namespace

int send_packet(const Destination& to, std::span<const iovec> parts, std::span<const int> fds,
                int flags) noexcept {
  VB_CHECK(fds.size() <= kMaxDescriptors);
  alignas(cmsghdr) std::array<std::byte, kFdBytes> room;
  msghdr message{};
  // The kernel only reads them.
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  message.msg_name = const_cast<sockaddr*>(to.address);
  message.msg_namelen = to.address_bytes;
  attach(message, room, fds);
  return ::sendmsg(to.socket, &message, flags | MSG_NOSIGNAL) < 0 ? errno : 0;
}

int receive_packet(int socket, std::span<iovec> parts, int flags, Packet* packet) {
  alignas(cmsghdr) std::array<std::byte, kFdBytes + CMSG_SPACE(sizeof(ucred))> room;
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  const ssize_t got = ::recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  if (got < 0) return errno;
  packet->bytes = static_cast<std::size_t>(got);
  packet->cut = (message.msg_flags & MSG_TRUNC) != 0;
  packet->lost = (message.msg_flags & MSG_CTRUNC) != 0;
  take_control(message, packet);
  return 0;
}

}  // namespace vballoon::keep
