// SPDX-License-Identifier: BSD-3-Clause
//
// What a confined process can do and what it cannot. Each try has a process of its own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/falloc.h>
#include <linux/netlink.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <functional>
#include <string>
#include <thread>

#include "base/unique_fd.hpp"
#include "rpc_peer.hpp"
#include "service/process/seccomp.hpp"

namespace vballoon::service {
namespace {

constexpr int kNotConfined = 99;

/// @return the wait status of a process that did this: its exit status is what `body` returned.
int status_of(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

int confined(const std::function<int()>& body) {
  return status_of([&body] { return confine() ? body() : kNotConfined; });
}

/// An errno, or 0 for a call that worked.
template <typename... Arguments>
int outcome(long number, Arguments... arguments) {
  return ::syscall(number, arguments...) < 0 ? errno : 0;
}

class Seccomp : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_confine()) GTEST_SKIP() << "this build has a sanitizer";
  }
  /// The process is gone.
  template <typename... Arguments>
  static void expect_fatal(const char* what, long number, Arguments... arguments) {
    const int status = confined([=] { return outcome(number, arguments...); });
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << what << ": " << status;
  }
  /// As if the kernel had no such call; without the filter it would have said something else.
  template <typename... Arguments>
  static void expect_refused(const char* what, long number, Arguments... arguments) {
    EXPECT_EQ(confined([=] { return outcome(number, arguments...); }), ENOSYS << 8) << what;
  }
  static void expect_works(const char* what, const std::function<int()>& body) {
    EXPECT_EQ(confined(body), 0) << what;
  }
};

TEST_F(Seccomp, ACallThatNoDaemonMakesEndsIt) {
  char* nothing[] = {nullptr};
  expect_fatal("execve", SYS_execve, "/bin/true", nothing, nothing);
  expect_fatal("execveat", SYS_execveat, AT_FDCWD, "/bin/true", nothing, nothing, 0);
  expect_fatal("ptrace", SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
  expect_fatal("process_vm_readv", SYS_process_vm_readv, 1, 0, 0, 0, 0, 0);
  expect_fatal("setuid", SYS_setuid, 0);
  expect_fatal("capset", SYS_capset, 0, 0);
  expect_fatal("mount", SYS_mount, 0, 0, 0, 0, 0);
  expect_fatal("unshare", SYS_unshare, 0);
  expect_fatal("setns", SYS_setns, 0, 0);
  expect_fatal("bpf", SYS_bpf, 0, 0, 0);
  expect_fatal("finit_module", SYS_finit_module, 0, 0, 0);
  expect_fatal("kexec_load", SYS_kexec_load, 0, 0, 0, 0);
}

TEST_F(Seccomp, NothingIsOpenedForWriting) {
  const TemporaryFolder folder;
  const std::string file = folder.path("file");
  const std::string there = folder.path("there");
  ASSERT_EQ(::close(::open(there.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
  const auto refused = [&](const std::string& path, int flags) {
    expect_refused(path.c_str(), SYS_openat, AT_FDCWD, path.c_str(), flags, 0600);
  };
  refused(file, O_CREAT | O_RDONLY);
  refused(file, O_CREAT | O_WRONLY);
  refused(there, O_WRONLY);
  refused(there, O_RDWR);
  refused(there, O_RDONLY | O_TRUNC);
  refused(folder.path(""), O_TMPFILE | O_RDWR);
  expect_refused("mkdir", SYS_mkdirat, AT_FDCWD, file.c_str(), 0700);
  expect_refused("rename", SYS_renameat2, AT_FDCWD, there.c_str(), AT_FDCWD, file.c_str(), 0);
  expect_refused("link", SYS_linkat, AT_FDCWD, there.c_str(), AT_FDCWD, file.c_str(), 0);
  expect_works("reading", [&there] { return ::open(there.c_str(), O_RDONLY | O_CLOEXEC) < 0; });
}

TEST_F(Seccomp, ButInTheStateFolder) {
  const TemporaryFolder folder;
  const auto writes = [&folder](std::optional<int> allowed) {
    const int fd = ::open(folder.path("").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return status_of([=] {
      if (!confine(allowed ? std::optional(fd) : std::nullopt)) return kNotConfined;
      if (::openat(fd, "new", O_RDWR | O_CREAT | O_CLOEXEC, 0600) < 0) return errno;
      return ::renameat(fd, "new", fd, "kept") == 0 ? 0 : errno;
    });
  };
  EXPECT_EQ(writes(1), 0);
  EXPECT_EQ(writes(std::nullopt), ENOSYS << 8);
}

TEST_F(Seccomp, NoNetwork) {
  expect_refused("IPv4", SYS_socket, AF_INET, SOCK_STREAM, 0);
  expect_refused("IPv6", SYS_socket, AF_INET6, SOCK_DGRAM, 0);
  expect_refused("netlink", SYS_socket, AF_NETLINK, SOCK_RAW, 0);
  expect_refused("packets", SYS_socket, AF_PACKET, SOCK_RAW, 0);
}

TEST_F(Seccomp, NoNewCode) {
  constexpr int kCode = PROT_READ | PROT_EXEC;
  expect_refused("mmap", SYS_mmap, 0, 4096, kCode, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  static const int kHere = 0;
  const auto page = reinterpret_cast<std::uintptr_t>(&kHere) & ~std::uintptr_t{4095};
  expect_refused("mprotect", SYS_mprotect, page, 4096, kCode);
}

TEST_F(Seccomp, NoProcessesAndNoSignalsToOthers) {
  expect_refused("fork", SYS_clone, SIGCHLD, 0, 0, 0, 0);
  expect_refused("fork in the same memory", SYS_clone, CLONE_VM | SIGCHLD, 0, 0, 0, 0);
  expect_refused("clone3", SYS_clone3, 0, 0);
  expect_refused("kill", SYS_kill, ::getpid(), 0);
  expect_refused("tgkill", SYS_tgkill, ::getpid(), ::getpid(), 0);
}

/// The kernel's audit records, as they come.
UniqueFd listen_to_audit() {
  UniqueFd audit(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_AUDIT));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1U << (AUDIT_NLGRP_READLOG - 1);
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(audit.get(), name, sizeof(address)) != 0) audit = UniqueFd();
  return audit;
}

/// Those of this process; waits a second for the first one.
std::string audit_records(int audit, pid_t pid) {
  std::string records;
  std::array<char, 8192> message{};
  for (int tries = 0; tries < 100 && records.empty(); ++tries) {
    for (ssize_t n = 0; (n = ::recv(audit, message.data(), message.size(), 0)) > 0;) {
      const std::string text(message.data(), static_cast<std::size_t>(n));
      if (text.find(" pid=" + std::to_string(pid) + " ") != std::string::npos) records += text;
    }
    ::usleep(10'000);
  }
  return records;
}

/// For each thread glibc tries clone3, which is no news; what nobody tries is.
TEST_F(Seccomp, WhatLibrariesDoWithoutIsRefusedWithoutARecord) {
  const UniqueFd audit = listen_to_audit();
  if (!audit.valid()) GTEST_SKIP() << "audit records are root's to read, if there are any";
  const pid_t child = ::fork();
  if (child == 0) {
    if (!confine()) ::_exit(kNotConfined);
    const bool refused = outcome(SYS_clone3, 0, 0) == ENOSYS;
    std::thread([] {}).join();
    ::_exit(refused && outcome(SYS_socket, AF_INET, SOCK_STREAM, 0) == ENOSYS ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  const std::string records = audit_records(audit.get(), child);
  if (records.empty()) GTEST_SKIP() << "this kernel keeps no such records";
  EXPECT_NE(records.find(" syscall=" + std::to_string(SYS_socket) + " "), std::string::npos)
      << records;
  EXPECT_EQ(records.find(" syscall=" + std::to_string(SYS_clone3) + " "), std::string::npos)
      << records;
}

TEST_F(Seccomp, NoRightsAreGivenAway) {
  const TemporaryFolder folder;
  const std::string file = folder.path("file");
  ASSERT_EQ(::close(::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
  expect_refused("mode", SYS_fchmodat, AT_FDCWD, file.c_str(), 04755);
  expect_refused("owner", SYS_fchownat, AT_FDCWD, file.c_str(), 1, 1, 0);
  expect_refused("dumpable", SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  const rlimit limit{1, 1};
  expect_refused("limit", SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, nullptr);
  expect_refused("typing into a terminal", SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x");
}

TEST_F(Seccomp, ADaemonsWorkGoesOn) {
  const TemporaryFolder folder;
  expect_works("a thread", [] {
    int done = 1;
    std::thread([&done] { done = 0; }).join();
    return done;
  });
  expect_works("DPDK's event loop", [] { return ::epoll_create(1) < 0 ? errno : 0; });
  expect_works("short sleeps", [] { return ::prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0); });
  expect_works("a hole in memory", [] {
    const int fd = ::memfd_create("guest", MFD_CLOEXEC);
    const bool done = ::ftruncate(fd, 8192) == 0 &&
                      ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0;
    return done ? 0 : 1;
  });
  expect_works("a socket", [path = folder.path("s")] {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto* const name = reinterpret_cast<const sockaddr*>(&address);
    const bool done = ::bind(fd, name, sizeof(address)) == 0 && ::chmod(path.c_str(), 0660) == 0 &&
                      ::listen(fd, 1) == 0 && ::unlink(path.c_str()) == 0;
    return done ? 0 : 1;
  });
  const int aborted = confined([]() -> int { std::abort(); });
  EXPECT_TRUE(WIFSIGNALED(aborted) && WTERMSIG(aborted) == SIGABRT) << aborted;
}

TEST_F(Seccomp, HoldsForThreadsThatWereThereBefore) {
  const int status = status_of([] {
    std::atomic<bool> go{false};
    int got = 0;
    std::thread other([&] {
      while (!go) std::this_thread::yield();
      got = outcome(SYS_socket, AF_INET, SOCK_STREAM, 0);
    });
    if (!confine()) return kNotConfined;
    go = true;
    other.join();
    return got;
  });
  EXPECT_EQ(status, ENOSYS << 8);
}

}  // namespace
}  // namespace vballoon::service
