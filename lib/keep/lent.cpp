// SPDX-License-Identifier: BSD-3-Clause
#include "keep/lent.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace vballoon::keep {
namespace {

/// Of the whole file.
struct flock lock_of(short type) noexcept {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

tl::unexpected<Status> cannot(const char* what) {
  return fail(Code::kHost,
              fmt::format("a file that is sent to a VMM {}: {}", what, std::strerror(errno)));
}

}  // namespace

Result<UniqueFd> lock_lent(int fd) {
  // A duplicate would be the same open file, and its lock would stay with us.
  UniqueFd witness(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_RDONLY | O_CLOEXEC));
  if (!witness.valid()) return cannot("cannot be opened once more");
  auto lock = lock_of(F_WRLCK);
  if (::fcntl(fd, F_OFD_SETLK, &lock) != 0) return cannot("cannot be locked");
  return witness;
}

std::optional<bool> is_out(int witness) noexcept {
  auto lock = lock_of(F_RDLCK);
  if (::fcntl(witness, F_OFD_GETLK, &lock) != 0) return std::nullopt;
  return lock.l_type != F_UNLCK;
}

}  // namespace vballoon::keep
