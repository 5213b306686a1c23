// SPDX-License-Identifier: BSD-3-Clause
//
// A process that crashes notes whose work its thread had in hand, and ends as it would have.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <thread>

#include "base/check.hpp"
#include "base/in_hand.hpp"
#include "base/tenure.hpp"
#include "gmem/lost_memory.hpp"
#include "keep/boot_clock.hpp"
#include "keep/crash_notes.hpp"

namespace vballoon::keep {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/// A sanitizer's own handler, which was there before, ends the process in its own way.
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

constexpr int kVm = 0;
constexpr int kOtherVm = 0;

class CrashNotes : public ::testing::Test {
 protected:
  /// In a process of its own. @return its wait status.
  int run(const std::function<void()>& crash) const {
    const pid_t child = ::fork();
    if (child == 0) {
      const rlimit no_core{0, 0};
      ::setrlimit(RLIMIT_CORE, &no_core);
      ::close(STDERR_FILENO);
      note_crashes();
      answer_for(&kVm, page_);
      answer_for(&kOtherVm, other_);
      crash();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  }
  void expect_noted(int signal, const std::function<void()>& crash) {
    page_.forget_crashes();
    const int status = run(crash);
    if (!kSanitized) {
      EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << status;
    }
    EXPECT_EQ(page_.crashes(boot_ms()), 1U) << "signal " << signal;
    EXPECT_EQ(other_.crashes(boot_ms()), 0U) << "signal " << signal;
  }
  void expect_nothing_noted(const std::function<void()>& crash) {
    page_.forget_crashes();
    const int status = run(crash);
    EXPECT_TRUE(kSanitized || WIFSIGNALED(status)) << status;
    EXPECT_EQ(page_.crashes(boot_ms()), 0U);
    EXPECT_EQ(other_.crashes(boot_ms()), 0U);
  }

  CrashBook book_ = CrashBook::make().value();
  CrashPage& page_ = *book_.page_of("vm0");
  CrashPage& other_ = *book_.page_of("vm1");
};

/// What is there is not for the compiler to know.
[[gnu::noipa]] void touch(std::uintptr_t address) {
  *reinterpret_cast<volatile char*>(address) = 1;
}

TEST_F(CrashNotes, AFaultIsNoted) {
  expect_noted(SIGSEGV, [] {
    const InHand hand(&kVm);
    touch(8);
  });
  expect_noted(SIGBUS, [] {
    void* const beyond =
        ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ::memfd_create("empty", 0), 0);
    const InHand hand(&kVm);
    touch(reinterpret_cast<std::uintptr_t>(beyond));
  });
}

TEST_F(CrashNotes, ABrokenInvariantIsNoted) {
  expect_noted(SIGABRT, [] {
    const InHand hand(&kVm);
    check_failed("a test", __FILE__, __LINE__);
  });
}

TEST_F(CrashNotes, ASignalThatWasSentIsNoted) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) {
    expect_noted(signal, [signal] {
      const InHand hand(&kVm);
      ::raise(signal);
    });
  }
}

/// Guest memory that is gone is looked at first, and is no crash.
TEST_F(CrashNotes, ABusErrorThatIsNoLostMemoryIsNoted) {
  expect_noted(SIGBUS, [] {
    gmem::survive_lost_memory();
    const InHand hand(&kVm);
    ::raise(SIGBUS);
  });
  expect_noted(SIGBUS, [] {
    gmem::survive_lost_memory();
    void* const beyond =
        ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ::memfd_create("empty", 0), 0);
    const InHand hand(&kVm);
    touch(reinterpret_cast<std::uintptr_t>(beyond));
  });
}

TEST_F(CrashNotes, AThreadWithASeatNamesItsVmByItsTenure) {
  expect_noted(SIGSEGV, [] {
    std::thread([] {
      Tenure tenure;
      InHand::follow(&tenure);
      tenure.enter(&kVm);
      touch(8);
    }).join();
  });
  expect_nothing_noted([] {
    std::thread([] {
      Tenure tenure;
      InHand::follow(&tenure);
      tenure.enter(&kVm);
      static_cast<void>(tenure.leave());
      touch(8);
    }).join();
  });
}

TEST_F(CrashNotes, WhatAnotherThreadHasInHandIsNotNoted) {
  expect_nothing_noted([] {
    const InHand hand(&kVm);
    std::thread([] { touch(8); }).join();
  });
}

TEST_F(CrashNotes, WhatIsNotInHandAnyMoreIsNotNoted) {
  expect_nothing_noted([] {
    { const InHand hand(&kVm); }
    touch(8);
  });
  expect_noted(SIGSEGV, [] {
    const InHand hand(&kVm);
    { const InHand inner(&kOtherVm); }
    touch(8);
  });
}

TEST_F(CrashNotes, NobodyAnswersForSigkill) {
  expect_nothing_noted([] {
    const InHand hand(&kVm);
    ::raise(SIGKILL);
  });
}

/// By which the service manager ends a process one of whose lcores stands still.
TEST_F(CrashNotes, OfAnAbortFromOutsideTheSuspectAnswers) {
  const auto wait_for_abort = [](const void* suspect) {
    return [suspect] {
      const InHand hand(&kOtherVm);
      InHand::suspect(suspect);
      const pid_t self = ::getpid();
      if (::fork() == 0) {
        ::kill(self, SIGABRT);
        ::_exit(0);
      }
      ::wait(nullptr);
      ::pause();
    };
  };
  expect_noted(SIGABRT, wait_for_abort(&kVm));
  expect_nothing_noted(wait_for_abort(nullptr));
}

TEST_F(CrashNotes, NobodyIsNotedWhoDoesNotAnswerAnyMore) {
  expect_nothing_noted([this] {
    stop_answering(page_);
    const InHand hand(&kVm);
    touch(8);
  });
}

}  // namespace
}  // namespace vballoon::keep
