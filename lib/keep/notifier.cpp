// SPDX-License-Identifier: BSD-3-Clause
#include "keep/notifier.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "base/unique_fd.hpp"
#include "keep/environment.hpp"
#include "keep/packet.hpp"

namespace vballoon::keep {
namespace {

/// For a manager that does not read.
constexpr timeval kPatience{.tv_sec = 1, .tv_usec = 0};

struct ManagerAddress {
  sockaddr_un address{};
  socklen_t bytes = 0;  // 0: none that could be a socket's
};

ManagerAddress address_of(std::string_view path) noexcept {
  ManagerAddress to;
  if (path.empty() || path.size() >= sizeof(to.address.sun_path)) return to;
  to.address.sun_family = AF_UNIX;
  path.copy(to.address.sun_path, path.size());
  // A name that begins with '@' is an abstract socket, whose address begins with a zero.
  if (path.front() == '@') to.address.sun_path[0] = '\0';
  to.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  return to;
}

int send_to_manager(std::string_view path, std::string_view state, std::span<const int> fds,
                    int flags) noexcept {
  const ManagerAddress to = address_of(path);
  if (to.bytes == 0) return EDESTADDRREQ;
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
  const iovec text{const_cast<char*>(state.data()), state.size()};
  const auto* const address = reinterpret_cast<const sockaddr*>(&to.address);
  return send_packet({fd.get(), address, to.bytes}, {&text, 1}, fds, flags);
}

}  // namespace

Notifier::Notifier() : path_(take_environment("NOTIFY_SOCKET")) {
  const auto limit_us = to_number(take_environment("WATCHDOG_USEC"));
  const auto pid = to_number(take_environment("WATCHDOG_PID"));
  const bool ours = !pid || *pid == static_cast<std::uint64_t>(::getpid());
  if (limit_us && *limit_us > 0 && ours) watchdog_ = std::chrono::microseconds(*limit_us / 2);
}

void Notifier::send(std::string_view state) const noexcept {
  if (!listened()) return;
  // Lost news are no reason to stop: the manager's own timeouts decide.
  (void)send_to_manager(path_, state, {}, MSG_DONTWAIT);
}

int Notifier::send_with(std::string_view state, std::span<const int> fds) const noexcept {
  return send_to_manager(path_, state, fds, 0);
}

}  // namespace vballoon::keep
