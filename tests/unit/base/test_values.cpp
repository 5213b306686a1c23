// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/base/test_values.cpp - units, counters, single reads of shared memory, log gates.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>

#include "base/copy_once.hpp"
#include "base/counter.hpp"
#include "base/guest_page.hpp"
#include "base/log.hpp"
#include "base/units.hpp"

namespace vballoon {
namespace {

// VIRTIO 1.2, 5.5.6: page numbers count 4096 bytes. Does not prove what a guest's page size does.
TEST(Units, APageNumberIsAddressOver4096) {
  EXPECT_EQ(to_gpa(Pfn{0}).value, 0U);
  EXPECT_EQ(to_gpa(Pfn{3}).value, 0x3000U);
  EXPECT_EQ(to_gpa(Pfn{UINT32_MAX}).value, 0xffff'ffff'000U);
}

TEST(Units, APartOfAPageIsNoPage) {
  EXPECT_EQ(bytes_to_pages(0), 0U);
  EXPECT_EQ(bytes_to_pages(4095), 0U);
  EXPECT_EQ(bytes_to_pages(4096), 1U);
  EXPECT_EQ(bytes_to_pages(8191), 1U);
  EXPECT_EQ(pages_to_bytes(std::uint64_t{1} << 40), std::uint64_t{1} << 52);
}

// Does not prove that the counter is exact with two writers: it is not, and does not promise to be.
TEST(Counter, AReaderSeesItGrowAndNeverShrink) {
  constexpr std::uint64_t kAdds = 200'000;
  Counter counter;
  std::atomic<bool> shrank{false};
  std::atomic<bool> started{false};
  std::thread reader([&] {
    for (std::uint64_t seen = 0; seen < 3 * kAdds;) {
      started.store(true, std::memory_order_relaxed);
      const std::uint64_t now = counter.get();
      if (now < seen) shrank = true;
      seen = now;
    }
  });
  while (!started) std::this_thread::yield();
  for (std::uint64_t i = 0; i < kAdds; ++i) counter.add(3);
  reader.join();
  EXPECT_FALSE(shrank);
  EXPECT_EQ(counter.get(), 3 * kAdds);
  counter.set(5);
  EXPECT_EQ(counter.get(), 5U);
}

TEST(CopyOnce, CopiesTheBytesAndNothingElse) {
  std::array<std::uint8_t, 8> source{1, 2, 3, 4, 5, 6, 7, 8};
  std::array<std::uint8_t, 8> copy{};
  copy_once(copy.data() + 2, source.data() + 1, 3);
  EXPECT_EQ(copy, (std::array<std::uint8_t, 8>{0, 0, 2, 3, 4, 0, 0, 0}));
  EXPECT_EQ(load_once<std::uint16_t>(source.data() + 2), 0x0403);
}

// What was checked is what is used: a copy that passed its check is the same afterwards, whatever a
// writer does. Would fail, with optimisation, for a compiler that reads the source again.
TEST(CopyOnce, ACheckedCopyStaysAsItWasChecked) {
  alignas(8) static std::uint64_t shared = 0;
  std::atomic<bool> started{false};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
      started.store(true, std::memory_order_relaxed);
      __atomic_store_n(&shared, i % 2 == 0 ? 7 : ~std::uint64_t{0}, __ATOMIC_RELAXED);
    }
  });
  while (!started) std::this_thread::yield();
  std::uint64_t escaped = 0;
  for (int i = 0; i < 200'000; ++i) {
    const auto value = load_once<std::uint64_t>(&shared);
    if (value < 100) {
      std::this_thread::yield();
      if (value >= 100) ++escaped;
    }
  }
  stop = true;
  writer.join();
  EXPECT_EQ(escaped, 0U);
}

TEST(GuestPage, ABalloonIsAtItsTargetAsNearAsItsGuestComes) {
  // Linux rounds 423997440 up to a page of 16 KiB.
  EXPECT_TRUE(at_target(424001536, 423997440));
  for (const std::uint64_t page : {4 * kKiB, 16 * kKiB, 64 * kKiB}) {
    const std::uint64_t target = 100 * kMiB + kPageSize;
    EXPECT_TRUE(at_target((target + page - 1) / page * page, target)) << page;
  }
  EXPECT_TRUE(at_target(kMiB, kMiB));
  EXPECT_TRUE(at_target(kMiB - 60 * kKiB, kMiB));
  EXPECT_FALSE(at_target(kMiB + 64 * kKiB, kMiB));
  EXPECT_FALSE(at_target(0, UINT64_MAX));
}

TEST(GuestPage, ASizeOfWholePagesIsOneOfEveryPage) {
  for (const std::uint64_t bytes : {std::uint64_t{0}, 64 * kKiB - 1, 423997440 + kKiB, kGiB}) {
    const std::uint64_t whole = whole_guest_pages(bytes);
    EXPECT_EQ(whole % (64 * kKiB), 0U);
    EXPECT_LE(whole, bytes);
    EXPECT_LT(bytes - whole, 64 * kKiB);
  }
}

TEST(LogGate, LetsAFewThroughAndCountsTheRest) {
  LogGate gate(3, std::chrono::hours(24 * 365));
  std::uint64_t dropped = 99;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(gate.open(&dropped));
    EXPECT_EQ(dropped, 0U);
  }
  dropped = 99;
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(gate.open(&dropped));
  EXPECT_EQ(dropped, 99U) << "only an event that is logged tells how many were not";
}

TEST(LogGate, ANewIntervalReportsWhatTheLastOneDropped) {
  LogGate gate(1, std::chrono::seconds(1));
  std::uint64_t dropped = 0;
  // A burst until the gate opens again: however long that takes, none is lost from the count.
  while (!gate.open(&dropped)) std::this_thread::yield();
  std::uint64_t refused = 0;
  while (!gate.open(&dropped)) {
    ++refused;
    std::this_thread::yield();
  }
  EXPECT_EQ(dropped, refused);
}

TEST(LogGate, AFloodThatGoesOnWaitsLongerEachTime) {
  using Clock = std::chrono::steady_clock;
  LogGate gate(1, std::chrono::milliseconds(50));
  std::uint64_t dropped = 0;
  const auto wait = [&] {
    const auto begin = Clock::now();
    while (!gate.open(&dropped)) std::this_thread::yield();
    return Clock::now() - begin;
  };
  ASSERT_TRUE(gate.open(&dropped));
  static_cast<void>(wait());
  EXPECT_GE(wait(), std::chrono::milliseconds(99));
  EXPECT_GE(wait(), std::chrono::milliseconds(199));
}

TEST(LogGate, AnIntervalOfNothingNeverCloses) {
  LogGate gate(1, std::chrono::seconds(0));
  std::uint64_t dropped = 99;
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(gate.open(&dropped));
    EXPECT_EQ(dropped, 0U);
  }
}

}  // namespace
}  // namespace vballoon
