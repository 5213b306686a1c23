// SPDX-License-Identifier: BSD-3-Clause
//
// base/socket_file.cpp - see socket_file.hpp.
#include "base/socket_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/printable.hpp"
#include "base/unique_fd.hpp"

namespace vballoon {
namespace {

constexpr mode_t kOwnOnly = 0177;  // what a umask takes away
constexpr mode_t kOwnerAndGroup = 0660;
constexpr uid_t kSameOwner = static_cast<uid_t>(-1);

}  // namespace

MadePrivate::MadePrivate() noexcept : before_(::umask(kOwnOnly)) {}
MadePrivate::~MadePrivate() {
  ::umask(before_);
}

Result<void> check_socket_path(std::string_view path) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(Code::kInvalidArgument,
                fmt::format("socket path '{}' is {} bytes long; it must have 1 to {}", path,
                            path.size(), sizeof(sockaddr_un::sun_path) - 1));
  }
  if (has_unprintable(path)) {
    return fail(Code::kInvalidArgument,
                fmt::format("socket path {:?}: no control characters, marks of direction or bytes "
                            "that are not UTF-8", path));
  }
  return {};
}

Result<void> share_socket(const std::string& path, std::optional<gid_t> group) {
  const auto no = [&path](std::string_view why) {
    return fail(Code::kHost, fmt::format("socket {}: {}", path, why));
  };
  const UniqueFd file(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  if (!file.valid() || ::fstat(file.get(), &info) != 0) return no(std::strerror(errno));
  if (!S_ISSOCK(info.st_mode) || info.st_uid != ::geteuid()) {
    return no("it is not ours any more: somebody else writes in its folder");
  }
  if (group && ::fchownat(file.get(), "", kSameOwner, *group, AT_EMPTY_PATH) != 0) {
    return no(fmt::format("cannot be given to group {}: {}; the daemon's user must be in that "
                          "group",
                          *group, std::strerror(errno)));
  }
  // A descriptor like this one takes no fchmod().
  const std::string same = fmt::format("/proc/self/fd/{}", file.get());
  if (::chmod(same.c_str(), kOwnerAndGroup) != 0) return no(std::strerror(errno));
  return {};
}

}  // namespace vballoon
