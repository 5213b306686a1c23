// SPDX-License-Identifier: BSD-3-Clause
#include "driver/message_socket.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.hpp"

namespace vballoon::driver {
namespace {

constexpr std::size_t kMaxFds = 32;
constexpr std::uint32_t kMaxPayload = 65536;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return fail(Code::kInvalidArgument, fmt::format("socket path \"{}\" must have 1 to {} bytes",
                                                    path, sizeof(address.sun_path) - 1));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

UniqueFd stream_socket() noexcept {
  return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

const sockaddr* generic(const sockaddr_un& address) noexcept {
  return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

bool ready(int fd, short events, Deadline deadline) noexcept {
  pollfd wanted{fd, events, 0};
  int found = 0;
  do {
    found = ::poll(&wanted, 1, deadline.remaining_ms());
  } while (found < 0 && errno == EINTR);
  return found > 0;
}

tl::unexpected<Status> gone(const char* doing) {
  return fail(Code::kUnavailable, fmt::format("{}: the backend closed the connection ({})", doing,
                                              std::strerror(errno)));
}

/// No error of ours: errno is of some call before.
tl::unexpected<Status> end_of_file() {
  return fail(Code::kUnavailable, "receive: the backend closed the connection");
}

/// Room for the descriptors that come with one recvmsg or go with one sendmsg.
struct Control {
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * kMaxFds)> bytes{};
};

void attach_fds(msghdr& message, Control& control, std::span<const int> fds) noexcept {
  if (fds.empty()) return;
  message.msg_control = control.bytes.data();
  message.msg_controllen = CMSG_SPACE(fds.size_bytes());
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  VB_CHECK(head != nullptr && fds.size() <= kMaxFds);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(head), fds.data(), fds.size_bytes());
}

void collect_fds(msghdr& message, std::vector<UniqueFd>* fds) {
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
      UniqueFd owned(fd);
      if (fds != nullptr) fds->push_back(std::move(owned));
    }
  }
}

}  // namespace

Result<MessageSocket> MessageSocket::connect(const std::string& path, Deadline deadline) {
  const auto address = address_of(path);
  if (!address) return tl::unexpected(address.error());
  for (;;) {
    UniqueFd fd = stream_socket();
    if (::connect(fd.get(), generic(*address), sizeof(*address)) == 0) {
      return MessageSocket(std::move(fd));
    }
    if (deadline.passed()) {
      return fail(Code::kUnavailable,
                  fmt::format("nobody answers at \"{}\": {}", path, std::strerror(errno)));
    }
    ::usleep(5000);
  }
}

Result<std::pair<MessageSocket, MessageSocket>> MessageSocket::pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    return fail(Code::kHost, fmt::format("socketpair: {}", std::strerror(errno)));
  }
  return std::pair(MessageSocket(UniqueFd(fds[0])), MessageSocket(UniqueFd(fds[1])));
}

Result<void> MessageSocket::send(const wire::Header& header, std::span<const std::byte> payload,
                                 std::span<const int> fds, Deadline deadline) {
  std::vector<std::byte> bytes(sizeof(header) + payload.size());
  std::memcpy(bytes.data(), &header, sizeof(header));
  if (!payload.empty()) {
    std::memcpy(bytes.data() + sizeof(header), payload.data(), payload.size());
  }
  return send_bytes(bytes, fds, deadline);
}

Result<void> MessageSocket::send_bytes(std::span<const std::byte> bytes, std::span<const int> fds,
                                       Deadline deadline) {
  Control control;
  while (!bytes.empty()) {
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    attach_fds(message, control, fds);
    const ssize_t sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
      fds = {};
    } else if (errno != EAGAIN && errno != EINTR) {
      return gone("send");
    } else if (!ready(fd_.get(), POLLOUT, deadline)) {
      return fail(Code::kUnavailable, "send: the backend does not read its socket");
    }
  }
  return {};
}

Result<void> MessageSocket::receive_bytes(std::span<std::byte> out, std::vector<UniqueFd>* fds,
                                          Deadline deadline) {
  Control control;
  while (!out.empty()) {
    iovec part{out.data(), out.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    const ssize_t got = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got > 0) {
      collect_fds(message, fds);
      out = out.subspan(static_cast<std::size_t>(got));
    } else if (got == 0) {
      return end_of_file();
    } else if (errno != EAGAIN && errno != EINTR) {
      return gone("receive");
    } else if (!ready(fd_.get(), POLLIN, deadline)) {
      return fail(Code::kUnavailable, "receive: no answer from the backend in time");
    }
  }
  return {};
}

Result<Message> MessageSocket::receive(Deadline deadline) {
  Message message;
  const auto head = std::as_writable_bytes(std::span(&message.header, 1));
  if (auto got = receive_bytes(head, &message.fds, deadline); !got) {
    return tl::unexpected(got.error());
  }
  if (message.header.size > kMaxPayload) {
    return fail(Code::kInvalidArgument,
                fmt::format("the backend announced a message of {} bytes", message.header.size));
  }
  message.payload.resize(message.header.size);
  if (auto got = receive_bytes(message.payload, &message.fds, deadline); !got) {
    return tl::unexpected(got.error());
  }
  return message;
}

bool MessageSocket::readable(Deadline deadline) const noexcept {
  return ready(fd_.get(), POLLIN, deadline);
}

bool MessageSocket::hung_up() const noexcept {
  pollfd wanted{fd_.get(), POLLRDHUP, 0};
  return ::poll(&wanted, 1, 0) > 0;
}

Result<Listener> Listener::bind(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return tl::unexpected(address.error());
  UniqueFd fd = stream_socket();
  if (::bind(fd.get(), generic(*address), sizeof(*address)) != 0) {
    return fail(errno == EADDRINUSE ? Code::kAlreadyExists : Code::kHost,
                fmt::format("socket \"{}\": {}", path, std::strerror(errno)));
  }
  if (::listen(fd.get(), 1) != 0) {
    return fail(Code::kHost, fmt::format("socket \"{}\": {}", path, std::strerror(errno)));
  }
  return Listener(std::move(fd), path);
}

Listener::~Listener() {
  if (fd_.valid()) ::unlink(path_.c_str());
}

Result<MessageSocket> Listener::accept(Deadline deadline) {
  if (ready(fd_.get(), POLLIN, deadline)) {
    UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd.valid()) return MessageSocket(std::move(fd));
  }
  return fail(Code::kUnavailable, fmt::format("no backend connected to \"{}\"", path_));
}

}  // namespace vballoon::driver
