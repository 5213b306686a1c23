// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_sized_pages.cpp - pages of several sizes against a plain map of them.
// Source: docs/device-13.md, DEV-9, DEV-10.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "reclaim/gather.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::reclaim {
namespace {

constexpr PageShifts kThree{{12, 21, 30}, 3};
constexpr PageShifts kTwo{{12, 21, 0}, 2};
constexpr PageShifts kOne{{21, 0, 0}, 1};

/// Two regions, of which one begins in the middle of a page of 2 MiB, and one at 4 GiB.
const std::vector<test::RamPiece> kPieces{{Gpa{0}, 3 * kMiB, 0},
                                          {Gpa{5 * kMiB}, 3 * kGiB, 3 * kMiB},
                                          {Gpa{4 * kGiB}, 2 * kGiB, 8 * kGiB}};

class SizedTest : public testing::Test {
 protected:
  Gather& gather(const PageShifts& sizes, const LedgerRoom& room = {}) {
    ReclaimLimits limits;
    limits.sizes = sizes;
    gather_.emplace(limits, counters_, kUnowned);
    gather_->set_tells_host(true);
    gather_->set_memory(ram_.map(), room);
    return *gather_;
  }
  static PageRun page(const PageShifts& sizes, unsigned kind, std::uint64_t n) {
    return {n * sizes.pages(kind), sizes.pages(kind)};
  }
  [[nodiscard]] bool is_memory(PageRun run) const {
    return gather_->memory().contains({gpa_of(run.first), pages_to_bytes(run.pages)});
  }

  test::GuestRam ram_{kPieces};
  ReclaimCounters counters_;
  std::optional<Gather> gather_;
};

/// What is in the balloon, by a plain map: the first 4 KiB page, and the kind.
class Model {
 public:
  explicit Model(const PageShifts& sizes) : sizes_(sizes) {}

  [[nodiscard]] bool touches(PageRun run) const {
    const auto after = pages_.lower_bound(run.end());
    if (after == pages_.begin()) return false;
    const auto& [first, kind] = *std::prev(after);
    return first + sizes_.pages(kind) > run.first;
  }
  void add(PageRun run, unsigned kind) { pages_[run.first] = kind; }
  void remove(PageRun run) { pages_.erase(run.first); }
  [[nodiscard]] bool has(PageRun run, unsigned kind) const {
    const auto at = pages_.find(run.first);
    return at != pages_.end() && at->second == kind;
  }
  [[nodiscard]] std::set<std::uint64_t> of(unsigned kind) const {
    std::set<std::uint64_t> firsts;
    for (const auto& [first, its] : pages_) {
      if (its == kind) firsts.insert(first);
    }
    return firsts;
  }
  [[nodiscard]] std::uint64_t population() const {
    std::uint64_t pages = 0;
    for (const auto& [first, kind] : pages_) pages += sizes_.pages(kind);
    return pages;
  }

 private:
  const PageShifts sizes_;
  std::map<std::uint64_t, unsigned> pages_;
};

void expect_same(const Model& model, const SizedPages& sized, const PageShifts& sizes) {
  for (unsigned kind = 0; kind < sizes.count; ++kind) {
    const auto wanted = model.of(kind);
    ASSERT_EQ(sized.count(kind), wanted.size()) << kind;
    std::set<std::uint64_t> seen;
    sized.for_each([&](PageRun run, unsigned its) {
      if (its == kind) seen.insert(run.first);
    });
    ASSERT_EQ(seen, wanted) << kind;
  }
}

TEST_F(SizedTest, IsTheMapOfItsPagesWhateverHappens) {
  for (const PageShifts& sizes : {kThree, kTwo, kOne}) {
    Gather& one = gather(sizes);
    Model model(sizes);
    std::mt19937_64 random(7);
    for (int step = 0; step < 4000; ++step) {
      const auto kind = static_cast<unsigned>(random() % sizes.count);
      // Near each other, so that sizes meet.
      const std::uint64_t place = random() % 4 * kGiB + random() % (16 * kMiB);
      const PageRun run = page(sizes, kind, place >> sizes.shifts[kind]);
      if (!is_memory(run)) continue;
      ASSERT_EQ(one.sized().touches(run), model.touches(run));
      ASSERT_EQ(one.sized().has(run, kind), model.has(run, kind));
      if (random() % 3 != 0) {
        const bool entered = one.enter(run, kind, 0);
        ASSERT_EQ(entered, !model.touches(run));
        if (entered) model.add(run, kind);
      } else if (model.has(run, kind)) {
        one.leave(run, kind);
        model.remove(run);
      }
      ASSERT_EQ(one.ballooned_pages(), model.population());
      if (step % 97 == 0) expect_same(model, one.sized(), sizes);
    }
    expect_same(model, one.sized(), sizes);
  }
}

TEST_F(SizedTest, EachPageComesOnceBeforeTheFirstComesAgain) {
  Gather& one = gather(kThree);
  std::set<std::uint64_t> added;
  for (const std::uint64_t n : {3U, 700U, 1500U, 2100U, 2101U}) {
    const PageRun run = page(kThree, 1, n);
    ASSERT_TRUE(is_memory(run)) << n;
    ASSERT_TRUE(one.enter(run, 1, 0));
    added.insert(run.first);
  }
  ASSERT_TRUE(one.enter(page(kThree, 0, 4), 0, 0));
  for (int round = 0; round < 3; ++round) {
    std::set<std::uint64_t> seen;
    for (std::size_t i = 0; i < added.size(); ++i) seen.insert(one.next_page(1).first);
    EXPECT_EQ(seen, added);
  }
  EXPECT_EQ(one.next_page(0), page(kThree, 0, 4));
  EXPECT_EQ(one.next_page(0), page(kThree, 0, 4));
}

TEST_F(SizedTest, TheLargestCoversItsPartsAndNothingElse) {
  Gather& one = gather(kThree);
  const PageRun gib = page(kThree, 2, 4);
  ASSERT_TRUE(one.enter(gib, 2, 0));
  EXPECT_TRUE(one.sized().has(gib, 2));
  EXPECT_FALSE(one.sized().has(page(kThree, 1, 2048), 1)) << "the same address";
  EXPECT_FALSE(one.sized().has(page(kThree, 0, gib.first), 0));
  EXPECT_FALSE(one.enter(page(kThree, 1, 2049), 1, 0));
  EXPECT_TRUE(one.enter(page(kThree, 1, 2048 + 512), 1, 0));
  one.leave(gib, 2);
  EXPECT_TRUE(one.enter(page(kThree, 1, 2048), 1, 0));
  EXPECT_TRUE(one.sized().has(page(kThree, 1, 2048), 1)) << "no mark of the larger one is left";
}

TEST_F(SizedTest, PagesThatAreStillThereGoOverToOtherMemory) {
  Gather& one = gather(kThree);
  const PageRun stays = page(kThree, 1, 2050);
  const PageRun goes = page(kThree, 1, 800);
  const PageRun small = page(kThree, 0, 5);
  ASSERT_TRUE(one.enter(stays, 1, 0));
  ASSERT_TRUE(one.enter(goes, 1, 0));
  ASSERT_TRUE(one.enter(small, 0, 0));
  ASSERT_TRUE(one.enter(page(kThree, 2, 2), 2, 0));
  // The second region ends in the middle of `goes`.
  const test::GuestRam less({{Gpa{0}, 3 * kMiB, 0},
                             {Gpa{5 * kMiB}, 1596 * kMiB, 3 * kMiB},
                             {Gpa{4 * kGiB}, 2 * kGiB, 8 * kGiB}});
  one.set_memory(less.map(), {});
  EXPECT_TRUE(one.sized().has(stays, 1));
  EXPECT_TRUE(one.sized().has(small, 0));
  EXPECT_EQ(one.sized().count(1), 1U);
  EXPECT_EQ(one.sized().count(2), 0U);
  EXPECT_EQ(one.ballooned_pages(), 513U) << "all of a page, or nothing";
}

/// The room that a process which was killed leaves.
class SizedRoom : public SizedTest {
 protected:
  SizedRoom() {
    const std::uint64_t pages = ram_.map()->pages();
    words_.resize(Bitmap::words_for(pages));
    marks_.resize(words_.size());
    touched_.assign(Bitmap::marks_for(pages), ~std::uint64_t{0});
    marks_touched_ = touched_;
  }
  [[nodiscard]] LedgerRoom room(bool filled) {
    return {words_, touched_, filled, marks_, marks_touched_};
  }

  std::vector<std::uint64_t> words_, touched_, marks_, marks_touched_;
};

TEST_F(SizedRoom, AnotherProcessGoesOnWithTheSamePages) {
  Model model(kThree);
  {
    Gather& one = gather(kThree, room(false));
    std::mt19937_64 random(11);
    for (int i = 0; i < 300; ++i) {
      const auto kind = static_cast<unsigned>(random() % 3);
      const PageRun run = page(kThree, kind, (random() % (6 * kGiB)) >> kThree.shifts[kind]);
      if (is_memory(run) && one.enter(run, kind, 0)) model.add(run, kind);
    }
  }
  gather_.reset();
  Gather& next = gather(kThree, room(true));
  expect_same(model, next.sized(), kThree);
  EXPECT_EQ(next.ballooned_pages(), model.population());
}

TEST_F(SizedRoom, APageThatWasHalfInIsNoneAndNothingElseIsLost) {
  const PageRun whole = page(kThree, 1, 5);
  const PageRun half = page(kThree, 1, 6);
  const PageRun gib = page(kThree, 2, 5);
  {
    Gather& one = gather(kThree, room(false));
    ASSERT_TRUE(one.enter(whole, 1, 0));
    ASSERT_TRUE(one.enter(half, 1, 0));
    ASSERT_TRUE(one.enter(page(kThree, 0, 7 * 512), 0, 0));
    ASSERT_TRUE(one.enter(gib, 2, 0));
  }
  gather_.reset();
  // Indexes are pages below 3 MiB, and 512 pages less from 5 MiB on.
  words_[(half.first - 512) / 64] = 0xff;
  words_[words_.size() - 1] = 0;
  Gather& next = gather(kThree, room(true));
  EXPECT_TRUE(next.sized().has(whole, 1));
  EXPECT_FALSE(next.sized().touches(half));
  EXPECT_FALSE(next.sized().touches(gib));
  EXPECT_TRUE(next.sized().has(page(kThree, 0, 7 * 512), 0));
  EXPECT_EQ(next.ballooned_pages(), 513U);
  EXPECT_TRUE(next.enter(half, 1, 0)) << "it comes again";
  EXPECT_TRUE(next.sized().has(half, 1));
}

TEST_F(SizedRoom, OfOneSizeTheLedgerAloneTells) {
  {
    Gather& one = gather(kOne, {words_, touched_, false});
    ASSERT_TRUE(one.enter(page(kOne, 0, 4), 0, 0));
    ASSERT_TRUE(one.enter(page(kOne, 0, 9), 0, 0));
  }
  gather_.reset();
  words_[(page(kOne, 0, 9).first - 512) / 64] = 1;
  Gather& next = gather(kOne, {words_, touched_, true});
  EXPECT_EQ(next.ballooned_pages(), 512U);
  EXPECT_EQ(next.sized().count(0), 1U);
  EXPECT_EQ(next.next_page(0), page(kOne, 0, 4));
}

}  // namespace
}  // namespace vballoon::reclaim
