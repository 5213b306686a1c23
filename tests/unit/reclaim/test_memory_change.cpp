// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_memory_change.cpp - the VMM changes the memory table under the balloon.
// Source: vhost-user, SET_MEM_TABLE, ADD_MEM_REG, REM_MEM_REG.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "reclaim_layout.hpp"

namespace vballoon::reclaim {
namespace {

class MemoryChange : public LayoutTest {};

TEST_F(MemoryChange, KeepsTheBalloonAndPunchesInTheNewPlace) {
  h_.inflate({kLow, 4});
  h_.flush();
  h_.calls().clear();
  const test::GuestRam moved({{Gpa{(kLow + 2) * kPageSize}, 8 * kPageSize, 0}});
  h_.reclaimer().set_memory(moved.map());
  EXPECT_EQ(h_.reclaimer().gather().ballooned_pages(), 2U);
  h_.flush();
  EXPECT_TRUE(h_.calls().empty()) << "what was discarded is not gathered again";
  EXPECT_EQ(h_.deflate(kLow).outside, 1U);
  EXPECT_EQ(h_.inflate(kLow + 3).unchanged, 1U);
  h_.flush();
  EXPECT_EQ(h_.discarder().file_pages(), (std::set<std::uint64_t>{1}));
}

TEST_F(MemoryChange, WhatIsGatheredGoesInTheNewPlace) {
  h_.inflate({kLow, 4});
  const test::GuestRam moved({{Gpa{(kLow + 2) * kPageSize}, 8 * kPageSize, 5 * kPageSize}});
  h_.reclaimer().set_memory(moved.map());
  EXPECT_EQ(h_.counters().gathered_pages.get(), 2U);
  h_.flush();
  EXPECT_EQ(h_.discarder().file_pages(), (std::set<std::uint64_t>{5, 6}));
}

TEST_F(MemoryChange, WhatCanNoLongerBeDiscardedIsNotTried) {
  h_.inflate({kLow, 4});
  const test::PhantomMap bare(
      -1, std::vector<test::RamPiece>{{Gpa{kLow * kPageSize}, 8 * kPageSize, 0}});
  h_.reclaimer().set_memory(bare.map());
  h_.flush();
  EXPECT_TRUE(h_.calls().empty());
  EXPECT_EQ(h_.reclaimer().gather().ballooned_pages(), 4U);
}

/// Memory as a set of guest pages, and where each lies in the file.
std::vector<test::RamPiece> random_pieces(std::mt19937& random) {
  std::vector<test::RamPiece> pieces;
  std::uint64_t at = random() % 300;
  std::uint64_t in_file = random() % 1000;
  for (int n = 0; n < 4; ++n) {
    const std::uint64_t pages = 1 + random() % 900;
    pieces.push_back({gpa_of(at), pages_to_bytes(pages), pages_to_bytes(in_file)});
    at += pages + random() % 2 * (random() % 200);
    in_file += pages + random() % 50;
  }
  return pieces;
}

TEST(MemoryChangeModel, RandomMapsKeepWhatTheyStillHave) {
  std::mt19937 random(33);
  auto pieces = random_pieces(random);
  auto ram = std::make_unique<test::GuestRam>(pieces);
  test::ReclaimHarness h(ram->map());
  std::set<std::uint64_t> balloon;   // guest pages
  std::set<std::uint64_t> gathered;  // of these
  const auto file_page_of = [&](std::uint64_t page) -> std::optional<std::uint64_t> {
    for (const test::RamPiece& piece : pieces) {
      const std::uint64_t inside = page - page_of(piece.first);
      if (inside < bytes_to_pages(piece.bytes)) return bytes_to_pages(piece.file_offset) + inside;
    }
    return std::nullopt;
  };
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 60; ++i) {
      const std::uint64_t page = random() % 4500;
      const bool memory = file_page_of(page).has_value();
      if (random() % 4 != 0) {
        ASSERT_EQ(h.inflate(page).outside, memory ? 0U : 1U);
        if (memory) balloon.insert(page);
        if (memory) gathered.insert(page);
      } else {
        ASSERT_EQ(h.deflate(page).changed, balloon.erase(page));
        gathered.erase(page);
      }
    }
    pieces = random_pieces(random);
    auto next = std::make_unique<test::GuestRam>(pieces);
    h.reclaimer().set_memory(next->map());
    ram = std::move(next);
    std::erase_if(balloon, [&](std::uint64_t page) { return !file_page_of(page); });
    std::erase_if(gathered, [&](std::uint64_t page) { return !file_page_of(page); });
    ASSERT_EQ(h.reclaimer().gather().ballooned_pages(), balloon.size()) << round;
    ASSERT_EQ(h.counters().gathered_pages.get(), gathered.size()) << round;
    if (random() % 3 != 0) continue;
    h.calls().clear();
    h.flush();
    std::set<std::uint64_t> wanted;
    for (const std::uint64_t page : gathered) wanted.insert(*file_page_of(page));
    ASSERT_EQ(h.discarder().file_pages(), wanted) << round;
    gathered.clear();
  }
  EXPECT_FALSE(balloon.empty());
}

TEST(MemoryChangeHuge, HostPagesAreCountedAnew) {
  const UniqueFd fd = test::open_hugetlb();
  if (!fd.valid()) GTEST_SKIP() << "this kernel has no hugetlbfs";
  const std::uint64_t huge = gmem::inspect_backing(fd.get()).host_page;
  const std::uint64_t full = bytes_to_pages(huge);
  const auto map_at = [&](std::uint64_t in_file) {
    return std::make_unique<test::PhantomMap>(
        fd.get(), std::vector<test::RamPiece>{{Gpa{0}, 2 * huge, in_file}});
  };
  const auto straight = map_at(0);
  const auto shifted = map_at(huge / 2);
  test::ReclaimHarness h(straight->map());
  h.inflate({0, full});
  ASSERT_EQ(h.reclaimer().gather().stranded_pages(), 0U);
  // The same guest pages, now half a host page further into the file.
  h.reclaimer().set_memory(shifted->map());
  EXPECT_EQ(h.reclaimer().gather().ballooned_pages(), full);
  EXPECT_EQ(h.reclaimer().gather().stranded_pages(), full);
  h.flush();
  EXPECT_TRUE(h.calls().empty()) << "no host page is whole any more";
  h.reclaimer().set_memory(straight->map());
  EXPECT_EQ(h.reclaimer().gather().stranded_pages(), 0U);
}

}  // namespace
}  // namespace vballoon::reclaim
