// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/lcore/test_idle_pass.cpp - a pass over idle rings makes no system call.
// Source: invariant 4 of the design, section 5. The kernel is the judge: a process in which any
//         thread makes one ends with SIGSYS.
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <vector>

#include "support/running.hpp"

namespace vballoon::lcore {
namespace {

using datapath::DeviceFixture;

/// For all threads of this process, and for good: exit_group() is all that is left to them.
bool forbid_system_calls() {
  std::array<sock_filter, 4> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  }};
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0 ||
         (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
          ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0);
}

/// In a process of its own: devices that have seen work and rest now, passes over them, exit with
/// 0.
[[noreturn]] void idle_passes(IdleStrategy idle, bool with_work) {
  constexpr std::uint64_t kPasses = 10'000;
  Nowhere nowhere;
  RunningPoller running(nowhere, idle);
  std::vector<std::unique_ptr<DeviceFixture>> devices;
  for (unsigned i = 0; i < 20; ++i) {
    devices.push_back(std::make_unique<DeviceFixture>());
    DeviceFixture& f = *devices.back();
    f.driver_tells();
    f.start_all();
    running.attach(f);
    f.send_pfns(wire::Role::kInflate, 0, datapath::pages_from(0, 300));
    wait_for_used(f, wire::Role::kInflate, 1);
  }
  const Counter& passes = running.poller().counters().passes;
  running.wait_for_passes(100);
  if (!forbid_system_calls()) ::_exit(2);
  if (with_work) devices[0]->send_pfns(wire::Role::kInflate, 1, datapath::pages_from(512, 1));
  for (const std::uint64_t end = passes.get() + kPasses; passes.get() < end;) continue;
  // Not _exit(), in which a sanitizer has its own things to do.
  ::syscall(SYS_exit_group, 0);
  std::abort();
}

#ifdef __SANITIZE_THREAD__
constexpr bool kJudged = false;  // its runtime has a thread that sleeps
#else
constexpr bool kJudged = true;
#endif

class IdlePassDeathTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!kJudged) GTEST_SKIP() << "ThreadSanitizer makes system calls of its own";
  }
};

TEST_F(IdlePassDeathTest, MakesNoSystemCall) {
  EXPECT_EXIT(idle_passes(IdleStrategy::kSpin, false), testing::ExitedWithCode(0), "");
}

// What makes one is seen: the interrupt of a used buffer, and the sleep of a lcore that backs off.
TEST_F(IdlePassDeathTest, OthersDo) {
  EXPECT_EXIT(idle_passes(IdleStrategy::kSpin, true), testing::KilledBySignal(SIGSYS), "");
  EXPECT_EXIT(idle_passes(IdleStrategy::kBackoff, false), testing::KilledBySignal(SIGSYS), "");
}

}  // namespace
}  // namespace vballoon::lcore
