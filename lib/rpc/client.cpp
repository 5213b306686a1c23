// SPDX-License-Identifier: BSD-3-Clause
#include "rpc/client.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "rpc/message.hpp"

namespace vballoon::rpc {
namespace {

constexpr timeval kPatience{5, 0};

tl::unexpected<Error> connect_error(const std::string& path, int reason) {
  if (reason == EAGAIN) {
    return refuse(kUnreachable, fmt::format("vballoond at {} has let nobody in for {} s; look into "
                                            "its log",
                                            path, kPatience.tv_sec));
  }
  if (reason == EACCES || reason == EPERM) {
    return refuse(kForbidden,
                  fmt::format("{}: permission denied; call as root, as the daemon's own user or as "
                              "a member of its rpc_group or rpc_observers",
                              path));
  }
  const bool absent = reason == ENOENT || reason == ECONNREFUSED;
  return refuse(kUnreachable,
                fmt::format("no vballoond answers at {}{}; start it, or name its socket with --rpc",
                            path, absent ? "" : fmt::format(" ({})", std::strerror(reason))));
}

tl::unexpected<Error> gone(const std::string& path, std::string_view how) {
  return refuse(kUnreachable,
                fmt::format("vballoond at {} {} before it answered; look into its log", path, how));
}

}  // namespace

Outcome<Client> Client::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return refuse(kUnreachable, fmt::format("'{}' cannot be a socket's path: 1 to {} bytes", path,
                                            sizeof(address.sun_path) - 1));
  }
  path.copy(address.sun_path, path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // Of connect() alone, which waits while the daemon lets nobody in and its queue is full.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
  if (!fd.valid() ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return connect_error(path, errno);
  }
  return Client(std::move(fd), path);
}

Outcome<Json> Client::call(std::string_view method, Json params,
                           std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  const std::uint64_t id = next_id_++;
  const Request request{id, false, std::string(method), std::move(params)};
  if (auto sent = send(format_request(request), deadline); !sent) {
    return tl::unexpected(sent.error());
  }
  for (;;) {
    auto line = receive_line(deadline);
    if (!line) return tl::unexpected(line.error());
    auto reply = parse_reply(*line);
    if (!reply) return tl::unexpected(reply.error());
    // A null id is the server refusing the connection or the line itself; an older id is the late
    // answer to a call that timed out.
    if (reply->id == id || reply->id.is_null()) return std::move(reply->outcome);
  }
}

Outcome<void> Client::wait_for(short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    const bool interrupted = interrupt_ != nullptr && interrupt_->load(std::memory_order_relaxed);
    if (interrupted) return refuse(kNoAnswer, "interrupted");
    if (left.count() <= 0) {
      return refuse(kNoAnswer, fmt::format("vballoond at {} did not answer in time", path_));
    }
    pollfd wanted{fd_.get(), events, 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(left.count()));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return gone(path_, std::strerror(errno));
  }
}

Outcome<void> Client::send(std::string_view line, Clock::time_point deadline) {
  while (!line.empty()) {
    const ssize_t n = ::send(fd_.get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
      line.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      // The server closed on us; what it said before, if anything, is worth more than our error.
      return {};
    } else if (errno != EAGAIN && errno != EINTR) {
      return gone(path_, std::strerror(errno));
    } else if (auto ready = wait_for(POLLOUT, deadline); !ready) {
      return ready;
    }
  }
  return {};
}

Outcome<std::string> Client::receive_line(Clock::time_point deadline) {
  std::array<char, 16384> chunk;
  for (;;) {
    if (auto line = lines_.next()) return std::move(*line);
    if (lines_.overflowed()) return gone(path_, "sent a reply beyond all bounds");
    if (auto ready = wait_for(POLLIN, deadline); !ready) return tl::unexpected(ready.error());
    const ssize_t n = ::recv(fd_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (n > 0) {
      lines_.append({chunk.data(), static_cast<std::size_t>(n)});
    } else if (n == 0) {
      return gone(path_, "closed the connection");
    } else if (errno != EAGAIN && errno != EINTR) {
      return gone(path_, std::strerror(errno));
    }
  }
}

}  // namespace vballoon::rpc
