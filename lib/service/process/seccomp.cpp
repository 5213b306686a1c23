// SPDX-License-Identifier: BSD-3-Clause
//
// service/process/seccomp.cpp - the list of system calls, by who needs them; see seccomp.hpp.
#include "service/process/seccomp.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/check.hpp"

namespace vballoon::service {
namespace {

/// Names with a blank between them. One that an architecture does not have costs nothing there.
constexpr std::array<std::string_view, 11> kAllowed{
    // Made often, so first: holes in guests' memory, idle lcores, locks.
    "fallocate clock_nanosleep nanosleep futex sched_yield clock_gettime",
    // Messages of VMMs and of RPC clients, calls into guests, the log.
    "read write readv writev recvmsg sendmsg recvfrom sendto close fcntl poll ppoll",
    // asio's loop and timers; librte_vhost's event thread, which begins with the first device: with
    // a pipe in 22.11, later with an epoll descriptor, for which it makes the oldest of these
    // calls. A gate for VMMs, with a set of features that no device had before, is an epoll
    // descriptor, too, with another number (dup3).
    "epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait timerfd_settime eventfd2 pipe "
    "pipe2 dup3",
    // Sockets, and devices that come and go. See `socket`, `fchmodat` and `fchownat` below.
    "bind listen accept accept4 connect getsockname getpeername getsockopt setsockopt shutdown "
    "unlink unlinkat umask",
    // Guests' memory tables, malloc, EAL's heap when it grows. See `mmap` below.
    "munmap mremap madvise brk get_mempolicy set_mempolicy mbind fstatfs fstat ftruncate "
    "memfd_create",
    // Reading the configuration (SIGHUP), pools of huge pages, the time zone. See `openat` below.
    "newfstatat stat lstat statx access faccessat faccessat2 readlink readlinkat getcwd lseek "
    "pread64",
    // Whether the process of a VMM is still there.
    "pidfd_open",
    // Threads that librte_vhost starts with its first device, and those that slow VMs have for
    // themselves (lcore/crew.hpp), whose guard needs the barrier. See `clone` below.
    "set_robust_list rseq sched_setaffinity sched_getaffinity exit membarrier",
    // Signals: the operator's, and SIGBUS where a guest's memory is gone.
    "rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall",
    // Who am I, what is there.
    "getpid gettid getuid geteuid getgid getegid getcpu sysinfo getrandom gettimeofday time",
    "exit_group",
};

/// Allowed where the bits in `mask` of the argument are those of `value`. Of an int the upper half
/// of its register may be anything.
struct Limited {
  std::string_view call;
  unsigned argument;
  std::uint64_t mask;
  std::uint64_t value;
};

constexpr std::uint64_t kInt = 0xffffffff;
constexpr std::uint64_t kAll = ~std::uint64_t{0};
constexpr std::uint64_t kNewOrWritten = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
constexpr std::uint64_t kThread = CLONE_VM | CLONE_THREAD;
constexpr std::uint64_t kSocketMode = 0660;

constexpr std::array<Limited, 15> kLimited{{
    {"openat", 2, kNewOrWritten, O_RDONLY},  // nothing is written but what is open already
    {"open", 1, kNewOrWritten, O_RDONLY},
    {"mmap", 2, PROT_EXEC, 0},  // no new code
    {"mprotect", 2, PROT_EXEC, 0},
    {"socket", 0, kInt, AF_UNIX},  // no network
    // No processes. glibc takes this one when clone3, whose flags no filter sees, does not exist.
    {"clone", 0, kThread, kThread},
    {"fchmodat", 2, kInt, kSocketMode},  // of sockets
    {"chmod", 1, kInt, kSocketMode},     // the same where glibc has it from here
    {"fchownat", 2, kInt, kInt},         // the owner (-1) stays, the group changes
    {"lchown", 1, kInt, kInt},
    {"ioctl", 1, kInt, FIONBIO},            // asio
    {"ioctl", 1, kInt, TCGETS},             // isatty(), for colours of the log
    {"prctl", 0, kInt, PR_SET_NAME},        // a new thread's
    {"prctl", 0, kInt, PR_SET_TIMERSLACK},  // an idle lcore's, which may come late to it
    {"prlimit64", 2, kAll, 0},              // to ask for one, not to set it
}};

/// What libraries try as a matter of course, and do without: refused as everything else is, but no
/// news, so not in the audit log. glibc tries this one for each thread, and then `clone`. A filter
/// has records of all that it refuses or of nothing; so these are a filter of their own, and
/// allowed by the other: of two filters the stricter one counts.
constexpr std::string_view kQuietlyRefused = "clone3";

/// No part of this daemon makes any of these, nor a library on its behalf, whatever a VMM says: who
/// makes it is not this daemon any more.
constexpr std::array<std::string_view, 5> kFatal{
    // Other programs, other processes' memory.
    "execve execveat ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp",
    // More rights.
    "setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset",
    // Another view of the system.
    "mount umount2 pivot_root chroot unshare setns open_tree move_mount fsopen fsmount",
    // The kernel itself.
    "bpf perf_event_open init_module finit_module delete_module kexec_load kexec_file_load reboot "
    "iopl ioperm swapon swapoff",
    "keyctl add_key request_key open_by_handle_at",
};

/// A filter in the making. The first failure is kept, and what follows is not done.
class Filter {
 public:
  explicit Filter(std::uint32_t otherwise) : context_(::seccomp_init(otherwise)) {
    if (context_ == nullptr) failed_ = ENOMEM;
    set(SCMP_FLTATR_CTL_TSYNC, 1);
    set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    // A filter is no reason to make every load of a polling lcore slower: nobody's code runs in
    // here.
    set(SCMP_FLTATR_CTL_SSB, 1);
    // A search tree: a hole costs its way through it.
    set(SCMP_FLTATR_CTL_OPTIMIZE, 2);
  }
  ~Filter() { ::seccomp_release(context_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  void set(scmp_filter_attr attribute, std::uint32_t value) {
    if (failed_ == 0) note(::seccomp_attr_set(context_, attribute, value));
  }
  void add(std::uint32_t action, std::string_view names) {
    while (!names.empty()) {
      const std::size_t length = std::min(names.find(' '), names.size());
      if (const int call = resolve(names.substr(0, length)); failed_ == 0) {
        note(::seccomp_rule_add(context_, action, call, 0));
      }
      names.remove_prefix(std::min(length + 1, names.size()));
    }
  }
  void allow(const Limited& limited) {
    const scmp_arg_cmp is{limited.argument, SCMP_CMP_MASKED_EQ, limited.mask, limited.value};
    if (const int call = resolve(limited.call); failed_ == 0) {
      note(::seccomp_rule_add_array(context_, SCMP_ACT_ALLOW, call, 1, &is));
    }
  }
  /// @return 0 or an errno.
  [[nodiscard]] int load() {
    if (failed_ == 0) note(::seccomp_load(context_));
    return failed_;
  }

 private:
  int resolve(std::string_view name) {
    const int call = ::seccomp_syscall_resolve_name(std::string(name).c_str());
    VB_CHECK(call != __NR_SCMP_ERROR);
    return call;
  }
  void note(int result) {
    if (result < 0) failed_ = -result;
  }

  scmp_filter_ctx context_;
  int failed_ = 0;
};

/// Files of the state folder come and go with VMs. The kernel follows `..` from there, so a filter
/// alone does not keep anybody in it; the unit's user and ProtectSystem= do.
void allow_files_in(Filter& filter, int folder) {
  const auto fd = static_cast<std::uint64_t>(folder);
  filter.allow({"openat", 0, kInt, fd});
  filter.allow({"renameat", 0, kInt, fd});
  filter.allow({"renameat2", 0, kInt, fd});
}

void fill(Filter& filter) {
  for (const std::string_view names : kAllowed) filter.add(SCMP_ACT_ALLOW, names);
  filter.add(SCMP_ACT_ALLOW, kQuietlyRefused);
  for (const Limited& limited : kLimited) filter.allow(limited);
  // abort(), and nobody else's signals.
  filter.allow({"tgkill", 0, kInt, static_cast<std::uint64_t>(::getpid())});
  for (const std::string_view names : kFatal) filter.add(SCMP_ACT_KILL_PROCESS, names);
}

}  // namespace

bool can_confine() noexcept {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#elif defined(__has_feature)
  // Where both are the same number: NOLINTNEXTLINE(misc-redundant-expression)
  return !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
  return true;
#endif
}

Result<void> confine(std::optional<int> folder) {
  Filter quiet(SCMP_ACT_ALLOW);
  quiet.add(SCMP_ACT_ERRNO(ENOSYS), kQuietlyRefused);
  Filter filter(SCMP_ACT_ERRNO(ENOSYS));
  // What is refused is in the kernel's audit log: not found out by guessing.
  filter.set(SCMP_FLTATR_CTL_LOG, 1);
  fill(filter);
  if (folder) allow_files_in(filter, *folder);
  int failed = quiet.load();
  if (failed == 0) failed = filter.load();
  if (failed == 0) return {};
  return fail(Code::kHost, fmt::format("the filter of system calls cannot be installed: {}; "
                                       "daemon.seccomp = false does without",
                                       std::strerror(failed)));
}

}  // namespace vballoon::service
