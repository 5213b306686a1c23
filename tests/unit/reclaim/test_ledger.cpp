// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_ledger.cpp - which pages are in the balloon, host pages being 4 KiB.
// Layer:  tests of reclaim.
#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <set>
#include <vector>

#include "reclaim/ledger.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::reclaim {
namespace {

using Erased = Ledger::Erased;

/// 64 pages at 16, 100 pages right behind them, 200 pages at 1000; no huge pages, no file at all.
const std::vector<test::RamPiece> kPieces{{Gpa{16 * kPageSize}, 64 * kPageSize, 0},
                                          {Gpa{80 * kPageSize}, 100 * kPageSize, 0},
                                          {Gpa{1000 * kPageSize}, 200 * kPageSize, 0}};

bool in_memory(std::uint64_t page) {
  return (page >= 16 && page < 180) || (page >= 1000 && page < 1200);
}

Pfn pfn(std::uint64_t page) {
  return Pfn{static_cast<std::uint32_t>(page)};
}

TEST(Ledger, IsEmptyAtFirst) {
  const test::PhantomMap memory(-1, kPieces);
  const Ledger ledger(memory.map());
  EXPECT_EQ(ledger.population(), 0U);
  EXPECT_EQ(ledger.stranded(), 0U);
  EXPECT_EQ(ledger.first_run({16, 164}).pages, 0U);
}

TEST(Ledger, APageIsInOnce) {
  const test::PhantomMap memory(-1, kPieces);
  Ledger ledger(memory.map());
  const auto first = ledger.insert(Pfn{20});
  EXPECT_TRUE(first.in_memory);
  EXPECT_TRUE(first.fresh);
  EXPECT_EQ(first.whole, (PageRun{20, 1}));
  const auto again = ledger.insert(Pfn{20});
  EXPECT_TRUE(again.in_memory);
  EXPECT_FALSE(again.fresh);
  EXPECT_EQ(again.whole, (PageRun{20, 1}));
  EXPECT_EQ(ledger.population(), 1U);
  EXPECT_TRUE(ledger.contains(Pfn{20}));
  EXPECT_EQ(ledger.erase(Pfn{20}), Erased::kErased);
  EXPECT_EQ(ledger.erase(Pfn{20}), Erased::kNotIn);
  EXPECT_EQ(ledger.population(), 0U);
  EXPECT_FALSE(ledger.contains(Pfn{20}));
}

TEST(Ledger, PagesOutsideMemoryChangeNothing) {
  const test::PhantomMap memory(-1, kPieces);
  Ledger ledger(memory.map());
  for (const std::uint32_t page : {0U, 15U, 180U, 999U, 1200U, UINT32_MAX}) {
    const auto inserted = ledger.insert(Pfn{page});
    EXPECT_FALSE(inserted.in_memory) << page;
    EXPECT_FALSE(inserted.fresh);
    EXPECT_EQ(inserted.whole.pages, 0U);
    EXPECT_EQ(ledger.erase(Pfn{page}), Erased::kOutsideMemory) << page;
    EXPECT_FALSE(ledger.contains(Pfn{page}));
  }
  EXPECT_EQ(ledger.population(), 0U);
}

TEST(Ledger, RandomStepsFollowASet) {
  const test::PhantomMap memory(-1, kPieces);
  Ledger ledger(memory.map());
  std::set<std::uint64_t> model;
  std::mt19937 random(31);
  for (int step = 0; step < 50'000; ++step) {
    const std::uint64_t page = random() % 1300;
    if (random() % 2 == 0) {
      const auto inserted = ledger.insert(pfn(page));
      ASSERT_EQ(inserted.in_memory, in_memory(page));
      if (!inserted.in_memory) continue;
      ASSERT_EQ(inserted.fresh, model.insert(page).second);
      ASSERT_EQ(inserted.whole, (PageRun{page, 1}));
    } else {
      const Erased expected = !in_memory(page)    ? Erased::kOutsideMemory
                              : model.erase(page) ? Erased::kErased
                                                  : Erased::kNotIn;
      ASSERT_EQ(ledger.erase(pfn(page)), expected);
    }
    ASSERT_EQ(ledger.population(), model.size());
    ASSERT_EQ(ledger.stranded(), 0U);
  }
  for (std::uint64_t page = 0; page < 1300; ++page) {
    ASSERT_EQ(ledger.contains(pfn(page)), model.contains(page)) << page;
  }
}

/// The first run of `pages` inside `within`, page by page.
PageRun model_run(const std::set<std::uint64_t>& pages, PageRun within) {
  const auto first = pages.lower_bound(within.first);
  if (first == pages.end() || *first >= within.end()) return {};
  PageRun run{*first, 0};
  while (run.end() < within.end() && pages.contains(run.end())) ++run.pages;
  return run;
}

TEST(Ledger, FirstRunIsTheFirstAndTheWholeOfIt) {
  const test::PhantomMap memory(-1, kPieces);
  std::mt19937 random(32);
  for (int round = 0; round < 300; ++round) {
    Ledger ledger(memory.map());
    std::set<std::uint64_t> model;
    // From nearly empty to nearly full; 16 to 180 are neighbours, though of two regions.
    for (std::uint64_t page = 16; page < 180; ++page) {
      if (random() % 300 >= static_cast<unsigned>(round)) continue;
      static_cast<void>(ledger.insert(pfn(page)));
      model.insert(page);
    }
    for (int i = 0; i < 50; ++i) {
      const std::uint64_t first = 16 + random() % 164;
      const PageRun within{first, random() % (180 - first + 1)};
      const PageRun expected = model_run(model, within);
      const PageRun run = ledger.first_run(within);
      ASSERT_EQ(run.pages, expected.pages) << round;
      if (expected.pages == 0) continue;
      ASSERT_EQ(run.first, expected.first) << round;
    }
  }
}

TEST(Ledger, FirstRunCrossesWordsOfBits) {
  const test::PhantomMap memory(-1, kPieces);
  Ledger ledger(memory.map());
  for (std::uint64_t page = 1001; page < 1199; ++page) {
    static_cast<void>(ledger.insert(pfn(page)));
  }
  EXPECT_EQ(ledger.first_run({1000, 200}), (PageRun{1001, 198}));
  EXPECT_EQ(ledger.first_run({1100, 5}), (PageRun{1100, 5}));
  EXPECT_EQ(ledger.first_run({1199, 1}).pages, 0U);
  EXPECT_EQ(ledger.first_run({1000, 1}).pages, 0U);
  EXPECT_EQ(ledger.first_run({1010, 0}).pages, 0U);
}

TEST(Ledger, AdoptKeepsWhatTheNewMemoryStillHas) {
  const test::PhantomMap before(-1, kPieces);
  Ledger old(before.map());
  std::set<std::uint64_t> model;
  std::mt19937 random(33);
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t page = random() % 1300;
    if (old.insert(pfn(page)).in_memory) model.insert(page);
  }
  // Smaller, larger, moved in the file, one region gone, one new.
  const test::PhantomMap after(
      -1, std::vector<test::RamPiece>{{Gpa{30 * kPageSize}, 100 * kPageSize, 4096},
                                      {Gpa{1100 * kPageSize}, 400 * kPageSize, 8192},
                                      {Gpa{2000 * kPageSize}, 10 * kPageSize, 0}});
  Ledger ledger(after.map());
  ledger.adopt(old);
  std::uint64_t kept = 0;
  for (std::uint64_t page = 0; page < 2100; ++page) {
    const bool there = (page >= 30 && page < 130) || (page >= 1100 && page < 1500);
    const bool expected = there && model.contains(page);
    ASSERT_EQ(ledger.contains(pfn(page)), expected) << page;
    kept += expected ? 1 : 0;
  }
  EXPECT_EQ(ledger.population(), kept);
  EXPECT_GT(kept, 0U);
}

TEST(Ledger, AdoptOfTheSameMemoryIsACopy) {
  const test::PhantomMap memory(-1, kPieces);
  Ledger old(memory.map());
  for (std::uint64_t page = 16; page < 180; page += 3) static_cast<void>(old.insert(pfn(page)));
  Ledger ledger(old.share_memory());
  ledger.adopt(old);
  EXPECT_EQ(ledger.population(), old.population());
  for (std::uint64_t page = 0; page < 200; ++page) {
    EXPECT_EQ(ledger.contains(pfn(page)), old.contains(pfn(page)));
  }
}

TEST(Ledger, KeepsItsMemoryAlive) {
  std::weak_ptr<const gmem::GuestMemory> watched;
  {
    std::optional<Ledger> ledger;
    {
      const test::PhantomMap memory(-1, kPieces);
      watched = memory.map();
      ledger.emplace(memory.map());
    }
    EXPECT_FALSE(watched.expired());
  }
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace vballoon::reclaim
