// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_provide.cpp - memory is put where holes are, and nothing else changes.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "reclaim/discarder.hpp"
#include "reclaim/run_queue.hpp"
#include "support/guest_ram.hpp"
#include "support/reclaim_harness.hpp"

namespace vballoon::reclaim {
namespace {

constexpr std::byte kWritten{0x5a};

/// Resident pages of the mapping that begins at this address.
std::uint64_t resident_kib(const void* mapping) {
  std::ostringstream first;
  first << std::hex << reinterpret_cast<std::uintptr_t>(mapping) << '-';
  std::ifstream maps("/proc/self/smaps");
  bool here = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.starts_with(first.str())) here = true;
    if (here && line.starts_with("Rss:")) return std::stoull(line.substr(4));
  }
  ADD_FAILURE() << "no such mapping: " << first.str();
  return 0;
}

TEST(Provide, FillsHolesAndKeepsWhatIsThere) {
  const test::GuestRam ram({{Gpa{0}, 4 * kMiB, 0}});
  ram.fill(kWritten);
  HolePuncher host;
  ASSERT_TRUE(host.discard(ram.fd(), kMiB, kMiB));
  ASSERT_EQ(ram.allocated_bytes(), 3 * kMiB);
  EXPECT_TRUE(host.provide(ram.fd(), kMiB / 2, 2 * kMiB, nullptr));
  EXPECT_EQ(ram.allocated_bytes(), 4 * kMiB);
  EXPECT_TRUE(ram.page_holds(255, kWritten));
  EXPECT_TRUE(ram.page_holds(256, std::byte{0}));
  EXPECT_TRUE(ram.page_holds(511, std::byte{0}));
  EXPECT_TRUE(ram.page_holds(512, kWritten));
}

TEST(Provide, ThroughAMappingItLeavesNoPageTableEntries) {
  const test::GuestRam ram({{Gpa{0}, 4 * kMiB, 0}});
  HolePuncher host;
  void* own = ::mmap(nullptr, 4 * kMiB, PROT_READ | PROT_WRITE, MAP_SHARED, ram.fd(), 0);
  ASSERT_NE(own, MAP_FAILED);
  EXPECT_TRUE(host.provide(ram.fd(), kMiB, kMiB, static_cast<std::byte*>(own) + kMiB));
  EXPECT_GE(ram.allocated_bytes(), kMiB);
  EXPECT_EQ(resident_kib(own), 0U);
  EXPECT_TRUE(ram.page_holds(256, std::byte{0}));
  ::munmap(own, 4 * kMiB);
}

TEST(Provide, SaysSoWhereThereIsNoMemory) {
  HolePuncher host;
  EXPECT_FALSE(host.provide(-1, 0, kPageSize, nullptr));
  EXPECT_FALSE(host.provide(-1, 0, kPageSize, reinterpret_cast<std::byte*>(kPageSize)));
}

/// Any thread may turn it on or off, at any time: who asked for room must have it all the same.
TEST(Provide, TurnedOnOrOffInTheMiddleOfAPassItCountsFromTheNext) {
  const test::GuestRam ram({{Gpa{0}, 32 * kMiB, 0}});
  test::ReclaimHarness h(ram.map());
  Reclaimer& reclaimer = h.reclaimer();
  h.inflate({0, 8192});
  h.pass();
  EXPECT_EQ(reclaimer.prefaults().room(), SIZE_MAX);
  reclaimer.prefaults().ask(true);
  EXPECT_EQ(reclaimer.prefaults().room(), SIZE_MAX) << "nobody made sure that there is room";
  for (std::uint64_t page = 0; page < 4096; page += 2) h.deflate(page);  // more than fit
  h.pass();
  EXPECT_TRUE(h.discarder().provided.empty());
  const std::size_t room = reclaimer.prefaults().room();
  ASSERT_LT(room, 2048U);
  reclaimer.prefaults().ask(false);
  EXPECT_EQ(reclaimer.prefaults().room(), room);
  h.deflate(4096);
  while (reclaimer.in_flight()) h.pass();
  EXPECT_EQ(h.discarder().provided.size(), 1U) << "it was on when its buffer came";
}

TEST(RunQueue, KeepsTheOrderAndJoinsNeighbours) {
  RunQueue<4> queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.push({10, 5}));
  EXPECT_TRUE(queue.push({15, 1}));
  EXPECT_TRUE(queue.push({9, 1}));
  EXPECT_EQ(queue.front(), (PageRun{10, 6}));
  queue.take(2);
  EXPECT_EQ(queue.front(), (PageRun{12, 4}));
  queue.take(4);
  EXPECT_EQ(queue.front(), (PageRun{9, 1}));
  queue.take(1);
  EXPECT_TRUE(queue.empty());
}

TEST(RunQueue, IsBoundedAndUsesItsPlacesAnewOnceAllAreEmpty) {
  RunQueue<2> queue;
  EXPECT_TRUE(queue.push({1, 1}));
  EXPECT_TRUE(queue.push({3, 1}));
  EXPECT_EQ(queue.room(), 0U);
  EXPECT_FALSE(queue.push({5, 1}));
  EXPECT_TRUE(queue.push({4, 1})) << "a neighbour needs no place";
  queue.take(1);
  EXPECT_FALSE(queue.push({7, 1}));
  queue.take(2);
  EXPECT_EQ(queue.room(), 2U);
  EXPECT_TRUE(queue.push({7, 1}));
  queue.clear();
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace vballoon::reclaim
