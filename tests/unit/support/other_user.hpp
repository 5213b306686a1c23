// SPDX-License-Identifier: BSD-3-Clause
//
// support/other_user.hpp - do something as somebody who is not root.
#pragma once

#include <grp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>
#include <vector>

namespace vballoon::support {

/// Numbers that no account of the host needs to have.
struct User {
  uid_t uid = 64'001;
  gid_t gid = 64'001;
  std::vector<gid_t> groups = {};
};

[[nodiscard]] inline bool is_root() {
  return ::geteuid() == 0;
}

/// For a child process: for good, and without one capability, now or through an exec.
inline void become(const User& user) {
  for (int capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
  const bool done = ::setgroups(user.groups.size(), user.groups.data()) == 0 &&
                    ::setresgid(user.gid, user.gid, user.gid) == 0 &&
                    ::setresuid(user.uid, user.uid, user.uid) == 0;
  if (!done) ::_exit(126);
}

/// What `body` returned, up to 125, in a process of that user.
inline int as(const User& user, const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    become(user);
    ::_exit(body());
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// A connected socket; else -1, and errno says why.
inline int connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool done =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  return done ? fd : -1;
}

/// 0, or why that user cannot connect.
inline int refusal_of(const User& user, const std::string& path) {
  return as(user, [&path] { return connect_to(path) < 0 ? errno : 0; });
}

}  // namespace vballoon::support
