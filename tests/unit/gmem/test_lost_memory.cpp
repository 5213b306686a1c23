// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/gmem/test_lost_memory.cpp - a file that becomes shorter under its mapping.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>

#include "gmem/lost_memory.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::gmem {
namespace {

/// How a bus error ends a process where ours is not in the way: of a sanitizer, by its own handler.
bool ended_by_bus_error(int status) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  if (testing::ExitedWithCode(1)(status) || testing::ExitedWithCode(66)(status)) return true;
#endif
  return testing::KilledBySignal(SIGBUS)(status);
}

class LostMemory : public testing::Test {
 protected:
  LostMemory() {
    survive_lost_memory();
    ram_.fill(std::byte{7});
  }
  void shorten_to(std::uint64_t bytes) const {
    ASSERT_EQ(::ftruncate(ram_.fd(), static_cast<off_t>(bytes)), 0);
  }
  [[nodiscard]] std::byte read(std::uint64_t gpa) const {
    return *static_cast<volatile std::byte*>(ram_.at(Gpa{gpa}));
  }

  test::GuestRam ram_{{{Gpa{0}, 4 * kMiB, 0}}};
  MemoryWatch watch_;
};

TEST_F(LostMemory, ReadsAsZeroesAndIsTold) {
  ASSERT_TRUE(watch_.watch(*ram_.map()));
  shorten_to(kMiB);
  EXPECT_EQ(read(kMiB - 1), std::byte{7});
  EXPECT_FALSE(watch_.lost());
  EXPECT_EQ(read(kMiB), std::byte{0});
  EXPECT_TRUE(watch_.lost());
  EXPECT_EQ(read(3 * kMiB + 5), std::byte{0});
  *ram_.at(Gpa{2 * kMiB}) = std::byte{9};
  EXPECT_EQ(read(2 * kMiB), std::byte{9}) << "writes go nowhere, but do no harm";
}

TEST_F(LostMemory, IsTheWatchsOwnAffair) {
  const test::GuestRam other({{Gpa{0}, kMiB, 0}});
  MemoryWatch others;
  ASSERT_TRUE(watch_.watch(*ram_.map()));
  ASSERT_TRUE(others.watch(*other.map()));
  shorten_to(0);
  EXPECT_EQ(read(0), std::byte{0});
  EXPECT_TRUE(watch_.lost());
  EXPECT_FALSE(others.lost());
  watch_.clear();
  EXPECT_FALSE(watch_.lost());
}

TEST_F(LostMemory, OfNobodyEndsTheProcess) {
  EXPECT_EXIT(
      {
        survive_lost_memory();
        shorten_to(0);
        static_cast<void>(read(0));
      },
      ended_by_bus_error, "");
}

TEST_F(LostMemory, ASignalThatSomebodySentEndsTheProcess) {
  EXPECT_EXIT(
      {
        survive_lost_memory();
        ::kill(::getpid(), SIGBUS);
        ::pause();
      },
      ended_by_bus_error, "");
}

}  // namespace
}  // namespace vballoon::gmem
