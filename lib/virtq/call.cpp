// SPDX-License-Identifier: BSD-3-Clause
#include "virtq/call.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace vballoon::virtq {
namespace {

/// A description of our own where the kernel gives one (pipes), so that the peer's flags stay as
/// they are; otherwise the shared one is made non-blocking, as every VMM's event loop does itself.
UniqueFd open_nonblocking(int fd) {
  struct stat kind {};
  if (fd < 0 || ::fstat(fd, &kind) != 0) return UniqueFd();
  if (S_ISFIFO(kind.st_mode)) {
    return UniqueFd(::open(fmt::format("/proc/self/fd/{}", fd).c_str(),
                           O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  }
  UniqueFd own = UniqueFd::duplicate(fd);
  const int flags = ::fcntl(own.get(), F_GETFL);
  if (flags < 0 || ::fcntl(own.get(), F_SETFL, flags | O_NONBLOCK) != 0) return UniqueFd();
  return own;
}

}  // namespace

Call::Call(int fd) noexcept : fd_(open_nonblocking(fd)) {}

bool Call::signal() noexcept {
  if (!fd_.valid()) return false;
  const std::uint64_t one = 1;
  ssize_t written = -1;
  do {
    written = ::write(fd_.get(), &one, sizeof(one));
  } while (written < 0 && errno == EINTR);
  return true;
}

}  // namespace vballoon::virtq
