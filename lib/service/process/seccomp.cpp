// SPDX-License-Identifier: BSD-3-Clause
//
// service/process/seccomp.cpp - the list of system calls, by the part of the daemon that needs
//                               them.
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

/// Names, separated by blanks. A name that an architecture does not have costs nothing there.
constexpr std::array<std::string_view, 11> kAllowed{
    // The most frequent calls come first: holes in guests' memory, idle lcores, locks.
    "fallocate clock_nanosleep nanosleep futex sched_yield clock_gettime",
    // Messages of VMMs and of RPC clients, calls into guests, the log.
    "read write readv writev recvmsg sendmsg recvfrom sendto sendfile close fcntl poll ppoll",
    // asio's loop and timers. librte_vhost's event thread, which starts with the first device: it
    // makes a pipe in 22.11, and in later versions an epoll descriptor by epoll_create. A new gate
    // (vhost/gate.hpp) is an epoll descriptor, too, and dup3 gives it another number.
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
    // Threads that librte_vhost starts with its first device, and threads of slow VMs
    // (lcore/crew.hpp). Their guard needs membarrier. See `clone` below.
    "set_robust_list rseq sched_setaffinity sched_getaffinity exit membarrier",
    // Signals: the operator's, and SIGBUS for guest memory that is gone.
    "rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall",
    // Questions about this process and this host.
    "getpid gettid getuid geteuid getgid getegid getcpu sysinfo getrandom gettimeofday time",
    "exit_group",
};

/// A call that is allowed where the argument, masked by `mask`, equals `value`. For an int argument
/// the upper half of the register may be anything.
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

constexpr std::array<Limited, 16> kLimited{{
    {"openat", 2, kNewOrWritten, O_RDONLY},  // no file is opened for writing any more
    {"open", 1, kNewOrWritten, O_RDONLY},
    {"mmap", 2, PROT_EXEC, 0},  // no new code
    {"mprotect", 2, PROT_EXEC, 0},
    {"socket", 0, kInt, AF_UNIX},  // no network
    {"socketpair", 0, kInt, AF_UNIX},
    // Threads, but no processes. glibc calls clone where clone3 does not exist. A filter cannot see
    // the flags of clone3.
    {"clone", 0, kThread, kThread},
    {"fchmodat", 2, kInt, kSocketMode},  // sockets only
    {"chmod", 1, kInt, kSocketMode},     // where glibc makes this call instead
    {"fchownat", 2, kInt, kInt},         // the owner (-1) stays, the group changes
    {"lchown", 1, kInt, kInt},
    {"ioctl", 1, kInt, FIONBIO},            // asio
    {"ioctl", 1, kInt, TCGETS},             // isatty(), for colours of the log
    {"prctl", 0, kInt, PR_SET_NAME},        // a new thread
    {"prctl", 0, kInt, PR_SET_TIMERSLACK},  // an idle lcore, which may call it late
    {"prlimit64", 2, kAll, 0},              // asks for a limit, does not set one
}};

/// glibc tries clone3 for each thread, and then calls clone. So clone3 is refused like any other
/// call, but should not be in the audit log. A filter logs all calls that it refuses, or none. So
/// clone3 has a filter of its own, and the main filter allows it: of two filters the stricter one
/// counts.
constexpr std::string_view kQuietlyRefused = "clone3";

/// Neither the daemon nor a library makes any of these calls, whatever a VMM sends. A process that
/// makes one does not run the daemon's code any more.
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

/// A filter that is being built. The first failure is kept, and later steps do nothing.
class Filter {
 public:
  explicit Filter(std::uint32_t otherwise) : context_(::seccomp_init(otherwise)) {
    if (context_ == nullptr) failed_ = ENOMEM;
    set(SCMP_FLTATR_CTL_TSYNC, 1);
    set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    // Without this the kernel turns on a mitigation that slows down every load of a polling lcore.
    // The process runs no foreign code, so it needs no such mitigation.
    set(SCMP_FLTATR_CTL_SSB, 1);
    // A search tree, because each hole pays for the filter's search.
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

/// Files of the state folder come and go with VMs. The kernel follows `..` from the folder, so the
/// filter alone confines no file access to it; the unit's user and ProtectSystem= do.
void allow_files_in(Filter& filter, int folder) {
  const auto fd = static_cast<std::uint64_t>(folder);
  filter.allow({"openat", 0, kInt, fd});
  filter.allow({"renameat", 0, kInt, fd});
  filter.allow({"renameat2", 0, kInt, fd});
  filter.allow({"linkat", 0, kInt, fd});
}

void fill(Filter& filter) {
  for (const std::string_view names : kAllowed) filter.add(SCMP_ACT_ALLOW, names);
  filter.add(SCMP_ACT_ALLOW, kQuietlyRefused);
  for (const Limited& limited : kLimited) filter.allow(limited);
  // For abort(). A signal to another process is refused.
  filter.allow({"tgkill", 0, kInt, static_cast<std::uint64_t>(::getpid())});
  for (const std::string_view names : kFatal) filter.add(SCMP_ACT_KILL_PROCESS, names);
}

}  // namespace

bool can_confine() noexcept {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#elif defined(__has_feature)
  // Both operands may be the same number: NOLINTNEXTLINE(misc-redundant-expression)
  return !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
  return true;
#endif
}

Result<void> confine(std::optional<int> folder) {
  Filter quiet(SCMP_ACT_ALLOW);
  quiet.add(SCMP_ACT_ERRNO(ENOSYS), kQuietlyRefused);
  Filter filter(SCMP_ACT_ERRNO(ENOSYS));
  // The kernel's audit log shows refused calls, so that an operator need not guess.
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
