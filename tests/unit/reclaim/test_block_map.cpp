// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_block_map.cpp - guest memory in blocks of the file, however it lies
// there.
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <utility>
#include <vector>

#include "reclaim/block_map.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::reclaim {
namespace {

constexpr std::uint64_t kBlockPages = kBlockBytes / kPageSize;

static_assert(page_of(Gpa{0x12345678}) == 0x12345);
static_assert(gpa_of(0x12345) == Gpa{0x12345000});
static_assert(PageRun{7, 3}.end() == 10);

/// A region as the test wants it, in pages.
struct Shape {
  std::uint64_t first;
  std::uint64_t pages;
  std::uint64_t in_file;
};

/// What the map must say of a page, worked out page by page.
struct Expected {
  std::size_t region;
  std::uint64_t index;       // of all memory
  std::uint64_t file_block;  // counted from the start of the file
};

class BlockMapTest : public testing::Test {
 protected:
  /// @param block_pages  of a block.
  void build(int fd, const std::vector<Shape>& shapes, std::uint64_t block_pages) {
    shapes_ = shapes;
    block_pages_ = block_pages;
    std::vector<test::RamPiece> pieces;
    for (const Shape& shape : shapes) {
      pieces.push_back(
          {gpa_of(shape.first), pages_to_bytes(shape.pages), pages_to_bytes(shape.in_file)});
    }
    phantom_ = std::make_unique<test::PhantomMap>(fd, pieces);
    map_ = std::make_unique<BlockMap>(phantom_->map());
  }
  [[nodiscard]] const BlockMap& map() const { return *map_; }

  [[nodiscard]] std::optional<Expected> expected(std::uint64_t page) const {
    std::uint64_t index = 0;
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      const Shape& shape = shapes_[i];
      if (page >= shape.first && page < shape.first + shape.pages) {
        const std::uint64_t inside = page - shape.first;
        return Expected{i, index + inside, (shape.in_file + inside) / block_pages_};
      }
      index += shape.pages;
    }
    return std::nullopt;
  }

  /// A run cut by the rule itself: parts end where the region or the file's block does.
  [[nodiscard]] std::vector<Part> parts_of(PageRun run) const {
    std::vector<Part> parts;
    std::optional<Expected> before;
    for (std::uint64_t page = run.first; page < run.end(); ++page) {
      const auto here = expected(page);
      if (!here) break;
      if (!before || before->region != here->region || before->file_block != here->file_block) {
        Part part;
        part.index = here->index;
        parts.push_back(part);
      }
      ++parts.back().pages;
      before = here;
    }
    return parts;
  }

  void expect_agreement() {
    // Ids are dense and ascend with the guest's addresses; all of memory is in exactly one block.
    std::uint64_t index = 0;
    for (std::uint32_t id = 0; id < map().count(); ++id) {
      const Block block = map()[id];
      EXPECT_EQ(block.part.block, id);
      EXPECT_EQ(block.part.index, index) << id;
      EXPECT_EQ(block.part.pages, block.run.pages);
      EXPECT_EQ(block.region, map().memory().find(gpa_of(block.run.first)));
      ASSERT_EQ(parts_of(block.run).size(), 1U) << id;
      EXPECT_EQ(parts_of(block.run)[0].index, block.part.index);
      EXPECT_EQ(map().first_part(block.run).pages, block.run.pages);
      index += block.part.pages;
    }
    EXPECT_EQ(index, map().memory().pages());
  }

  void expect_parts(PageRun run) {
    std::vector<Part> parts;
    const std::uint64_t done =
        map().for_each_part(run, [&](const Part& part) { parts.push_back(part); });
    const std::vector<Part> wanted = parts_of(run);
    ASSERT_EQ(parts.size(), wanted.size()) << run.first << " " << run.pages;
    std::uint64_t pages = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      ASSERT_EQ(parts[i].index, wanted[i].index);
      ASSERT_EQ(parts[i].pages, wanted[i].pages);
      const Block block = map()[parts[i].block];
      ASSERT_LE(block.part.index, parts[i].index);
      ASSERT_LE(parts[i].index + parts[i].pages, block.part.index + block.part.pages);
      pages += parts[i].pages;
    }
    ASSERT_EQ(done, pages);
    const Part first = map().first_part(run);
    ASSERT_EQ(first.pages, wanted.empty() || run.pages == 0 ? 0 : wanted[0].pages);
    if (first.pages == 0) return;
    ASSERT_EQ(first.index, wanted[0].index);
    ASSERT_EQ(first.block, parts[0].block);
  }

  std::vector<Shape> shapes_;
  std::uint64_t block_pages_ = 0;
  std::unique_ptr<test::PhantomMap> phantom_;
  std::unique_ptr<BlockMap> map_;
};

TEST_F(BlockMapTest, BlocksAreCountedFromTheStartOfTheFile) {
  build(-1, {{1000, 1000, 300}}, kBlockPages);
  // 300 to 511, 512 to 1023, 1024 to 1299 in the file.
  ASSERT_EQ(map().count(), 3U);
  EXPECT_EQ(map()[0].run, (PageRun{1000, 212}));
  EXPECT_EQ(map()[1].run, (PageRun{1212, 512}));
  EXPECT_EQ(map()[2].run, (PageRun{1724, 276}));
  for (std::uint32_t id = 0; id < 3; ++id) {
    EXPECT_EQ(map().complete_at(id), map()[id].run.pages) << "all of it that is the guest's";
  }
  expect_agreement();
}

TEST_F(BlockMapTest, ARunEndsWhereMemoryDoes) {
  build(-1, {{0, 160, 0}, {192, 100, 160}}, kBlockPages);
  unsigned visits = 0;
  const auto count = [&](const Part&) { ++visits; };
  EXPECT_EQ(map().for_each_part({100, 1000}, count), 60U);
  EXPECT_EQ(visits, 1U);
  EXPECT_EQ(map().for_each_part({160, 32}, count), 0U);
  EXPECT_EQ(map().for_each_part({292, 1}, count), 0U);
  EXPECT_EQ(map().for_each_part({192, 0}, count), 0U);
  EXPECT_EQ(map().for_each_part({UINT64_MAX - 5, 3}, count), 0U);
  EXPECT_EQ(visits, 1U);
  EXPECT_EQ(map().first_part({160, 32}).pages, 0U);
}

TEST_F(BlockMapTest, RegionsThatShareABlockOfTheFileHaveEachTheirOwn) {
  build(-1, {{0, 100, 0}, {100, 100, 100}}, kBlockPages);
  EXPECT_EQ(map().count(), 2U);
  expect_agreement();
  expect_parts({50, 100});
}

TEST_F(BlockMapTest, RandomRunsOfRandomMemoryAgreeWithTheRule) {
  std::mt19937 random(61);
  for (int round = 0; round < 40; ++round) {
    std::vector<Shape> shapes;
    std::uint64_t at = random() % 3 * 100;
    for (std::uint64_t n = 1 + random() % 5; n > 0; --n) {
      const std::uint64_t pages = 1 + random() % 2000;
      shapes.push_back({at, pages, random() % 3000});
      at += pages + (random() % 2) * (random() % 700);
    }
    build(-1, shapes, kBlockPages);
    expect_agreement();
    for (int i = 0; i < 300 && !HasFatalFailure(); ++i) {
      expect_parts({random() % (at + 100), random() % 1500});
    }
  }
}

TEST_F(BlockMapTest, PlainMemoryIsNotHugeAndWithoutAFileNotDiscarded) {
  build(-1, {{0, 16, 0}}, kBlockPages);
  EXPECT_FALSE(map()[0].part.huge);
  EXPECT_FALSE(map()[0].part.can_discard);
  const test::GuestRam ram({{Gpa{0}, 16 * kPageSize, 0}});
  const BlockMap backed(ram.map());
  EXPECT_FALSE(backed[0].part.huge);
  EXPECT_TRUE(backed[0].part.can_discard);
}

TEST_F(BlockMapTest, AHugePageIsABlockAndOnlyAWholeOneIsEverComplete) {
  const UniqueFd fd = test::open_hugetlb();
  if (!fd.valid()) GTEST_SKIP() << "this kernel has no hugetlbfs";
  const std::uint64_t huge = bytes_to_pages(gmem::inspect_backing(fd.get()).host_page);
  build(fd.get(), {{0, 2 * huge, huge / 2}, {8 * huge, 3 * huge, 16 * huge}}, huge);
  ASSERT_EQ(map().count(), 6U);
  EXPECT_EQ(map().complete_at(0), UINT32_MAX) << "half of it is not the guest's";
  EXPECT_EQ(map().complete_at(1), huge);
  EXPECT_EQ(map().complete_at(2), UINT32_MAX);
  for (std::uint32_t id = 3; id < 6; ++id) EXPECT_EQ(map().complete_at(id), huge);
  for (std::uint32_t id = 0; id < 6; ++id) EXPECT_TRUE(map()[id].part.huge);
  expect_agreement();
  std::mt19937 random(62);
  for (int i = 0; i < 300 && !HasFatalFailure(); ++i) {
    expect_parts({random() % (12 * huge), random() % (2 * huge)});
  }
}

}  // namespace
}  // namespace vballoon::reclaim
