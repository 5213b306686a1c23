// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/socket_path.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/socket_file.hpp"
#include "base/unique_fd.hpp"

namespace vballoon::vhost {
namespace {

/// Only connect(2) tells. A listening process sees a connection that ends at once.
Result<bool> somebody_listens(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) {
    return fail(Code::kHost,
                fmt::format("cannot find out who listens on {}: {}", path, std::strerror(errno)));
  }
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return true;
  }
  return errno != ECONNREFUSED && errno != ENOENT;
}

}  // namespace

Result<void> clear_socket_path(const std::string& path) {
  if (auto ok = check_socket_path(path); !ok) return ok;
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return {};
  if (!S_ISSOCK(file.st_mode)) {
    return fail(Code::kAlreadyExists,
                fmt::format("{} exists and is not a socket; choose another path", path));
  }
  const auto somebody = somebody_listens(path);
  if (!somebody) return tl::unexpected(somebody.error());
  if (*somebody) {
    return fail(Code::kAlreadyExists,
                fmt::format("another process listens on {}; stop it or choose another path", path));
  }
  if (::unlink(path.c_str()) != 0) {
    return fail(Code::kHost,
                fmt::format("cannot remove the stale socket {}: {}", path, std::strerror(errno)));
  }
  return {};
}

}  // namespace vballoon::vhost
