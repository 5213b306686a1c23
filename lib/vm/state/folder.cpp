// SPDX-License-Identifier: BSD-3-Clause
#include "vm/state/folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace vballoon::vm {
namespace {

constexpr mode_t kFolderMode = 0700;
constexpr mode_t kOthersWrite = 022;

tl::unexpected<Status> host_says_no(const std::string& path) {
  // Errors of the path itself.
  const bool is_wrong = errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG;
  return fail(is_wrong ? Code::kInvalidArgument : Code::kHost,
              fmt::format("state folder {}: {}; name another in daemon.state_dir, or none", path,
                          std::strerror(errno)));
}

}  // namespace

std::string Folder::this_boot() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  return boot;
}

Result<Folder> Folder::open(const std::string& path, std::string boot) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  if (::mkdir(path.c_str(), kFolderMode) != 0 && errno != EEXIST) return host_says_no(path);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat folder {};
  if (!fd.valid() || ::fstat(fd.get(), &folder) != 0) return host_says_no(path);
  if (folder.st_uid != ::geteuid() || (folder.st_mode & kOthersWrite) != 0) {
    return fail(Code::kInvalidArgument,
                fmt::format("state folder {} is not the daemon's alone: it must have its user and "
                            "mode 0700",
                            path));
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Code::kAlreadyExists,
                fmt::format("another daemon keeps its state in {}; give each its own", path));
  }
  return Folder(std::move(fd), path, std::move(boot));
}

}  // namespace vballoon::vm
