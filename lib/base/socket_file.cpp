// SPDX-License-Identifier: BSD-3-Clause
#include "base/socket_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/printable.hpp"
#include "base/unique_fd.hpp"

namespace vballoon {
namespace {

constexpr mode_t kOwnOnly = 0177;  // what a umask takes away
constexpr mode_t kOwnerAndGroup = 0660;
constexpr mode_t kAnybody = 0666;
constexpr uid_t kSameOwner = static_cast<uid_t>(-1);

/// In /tmp anybody may have made the folder before us, and would own what is in it.
Result<void> check_owner(const std::string& folder) {
  if (!folder.starts_with("/tmp/vballoon-")) return {};
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0) {
    return fail(Code::kHost, fmt::format("{}: {}", folder, std::strerror(errno)));
  }
  if (S_ISDIR(info.st_mode) && info.st_uid == ::geteuid() && (info.st_mode & 022) == 0) return {};
  return fail(Code::kHost, fmt::format("{} belongs to somebody else or is open to others; remove "
                                       "it, or choose another path for the socket",
                                       folder));
}

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
                            "that are not UTF-8",
                            path));
  }
  return {};
}

std::string default_socket_folder() {
  if (::geteuid() == 0) return "/run/vballoon";
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime != '\0') return fmt::format("{}/vballoon", runtime);
  return fmt::format("/tmp/vballoon-{}", ::geteuid());
}

Result<void> provide_socket_folder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == 0) return {};
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash);
  const mode_t mode = ::geteuid() == 0 ? 0755 : 0700;
  if (folder == default_socket_folder() && ::mkdir(folder.c_str(), mode) != 0 && errno != EEXIST) {
    return fail(Code::kHost, fmt::format("socket {}: cannot make its folder {}: {}", path, folder,
                                         std::strerror(errno)));
  }
  struct stat info {};
  const int reason = ::stat(folder.c_str(), &info) != 0 ? errno
                     : S_ISDIR(info.st_mode)            ? 0
                                                        : ENOTDIR;
  if (reason == 0) return check_owner(folder);
  const std::string_view way_out =
      reason == ENOENT ? "; make it first (mkdir -p), or choose another path" : "";
  return fail(Code::kHost, fmt::format("socket {}: its folder {}: {}{}", path, folder,
                                       std::strerror(reason), way_out));
}

Result<void> share_socket(const std::string& path, std::optional<gid_t> group, SharedWith with) {
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
    return no(
        fmt::format("cannot be given to group {}: {}; the daemon's user must be in that "
                    "group",
                    *group, std::strerror(errno)));
  }
  // A descriptor like this one takes no fchmod().
  const std::string same = fmt::format("/proc/self/fd/{}", file.get());
  const mode_t mode = with == SharedWith::kGroup ? kOwnerAndGroup : kAnybody;
  if (::chmod(same.c_str(), mode) != 0) return no(std::strerror(errno));
  return {};
}

SocketFile::SocketFile(std::string path) : path_(std::move(path)) {
  struct stat info {};
  if (::lstat(path_.c_str(), &info) != 0) return;
  device_ = info.st_dev;
  inode_ = info.st_ino;
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

SocketFile::~SocketFile() {
  struct stat info {};
  if (path_.empty() || ::lstat(path_.c_str(), &info) != 0) return;
  if (info.st_dev == device_ && info.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace vballoon
