// SPDX-License-Identifier: BSD-3-Clause
#include "real_cgroup.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace vballoon::policy {
namespace {

constexpr const char* kDisk = "/var/tmp";

bool write_file(const std::string& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return written;
}

}  // namespace

RealCgroup::RealCgroup(const std::string& parent, std::string_view name, std::string_view file) {
  const std::string folder =
      parent + "/vballoon-" + std::string(name) + "-" + std::to_string(::getpid());
  if (::mkdir(folder.c_str(), 0755) != 0) {
    why_ = "cannot make " + folder + ": " + std::strerror(errno);
  } else if (const std::string sign = folder + "/" + std::string(file);
             ::access(sign.c_str(), F_OK) != 0) {
    why_ = "there is no " + sign;
    ::rmdir(folder.c_str());
  } else {
    folder_ = folder;
  }
}

bool RealCgroup::write(const std::string& file, const std::string& text) const {
  return write_file(folder_ + "/" + file, text);
}

bool RealCgroup::remove() {
  for (int tries = 0; tries < 500 && valid(); ++tries) {
    if (::rmdir(folder_.c_str()) == 0 || errno == ENOENT) return true;
    ::usleep(10'000);  // whose process has just ended
  }
  return !valid();
}

Child::Child(std::initializer_list<const RealCgroup*> cgroups, const std::function<void()>& body) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;
  ready_ = ends[0];
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (const RealCgroup* const cgroup : cgroups) {
      if (!cgroup->write("cgroup.procs", "0")) ::_exit(1);
    }
    body();
    const char sign = '!';
    if (::write(ends[1], &sign, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  ::close(ends[1]);
}

bool Child::done() const {
  char sign = 0;
  return ::read(ready_, &sign, 1) == 1;
}

void Child::end() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (ready_ >= 0) ::close(ready_);
  pid_ = ready_ = -1;
}

void read_file_forever(std::uint64_t bytes) {
  std::string name = std::string(kDisk) + "/vballoon-host-XXXXXX";
  const int fd = ::mkstemp(name.data());
  if (fd < 0) ::_exit(1);
  ::unlink(name.c_str());
  static std::array<char, 1 << 20> chunk{};
  for (std::uint64_t at = 0; at < bytes; at += chunk.size()) {
    if (::write(fd, chunk.data(), chunk.size()) < 0) ::_exit(1);
  }
  for (;;) {
    for (std::uint64_t at = 0; at < bytes; at += chunk.size()) {
      if (::pread(fd, chunk.data(), chunk.size(), static_cast<off_t>(at)) < 0) ::_exit(1);
    }
  }
}

bool has_disk() {
  struct statfs system {};
  return ::statfs(kDisk, &system) == 0 && system.f_type != TMPFS_MAGIC;
}

}  // namespace vballoon::policy
