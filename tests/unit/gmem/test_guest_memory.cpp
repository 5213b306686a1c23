// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/gmem/test_guest_memory.cpp - the guest's RAM: what is in it, and what is beside it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "gmem/guest_memory.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::gmem {
namespace {

constexpr std::uint64_t kTop = 0xffff'ffff'ffff'f000;

/// Regions at 1 MiB and 8 MiB; the second lies before the first in the file.
std::vector<test::RamPiece> two_with_a_hole() {
  return {{Gpa{8 * kMiB}, 2 * kMiB, 0}, {Gpa{kMiB}, kMiB, 3 * kMiB}};
}

RegionSpec spec(std::uint64_t first, std::uint64_t bytes) {
  static std::byte anchor{};
  return {Gpa{first}, bytes, &anchor, -1, 0};
}

void expect_refused(const std::vector<RegionSpec>& specs, const std::string& named) {
  const auto map = GuestMemory::create(specs);
  ASSERT_FALSE(map.has_value()) << named;
  EXPECT_EQ(map.error().code, Code::kInvalidArgument);
  EXPECT_NE(map.error().message.find(named), std::string::npos) << map.error().message;
}

TEST(GuestMemory, RegionsComeSortedAndNumberTheirPages) {
  const test::GuestRam ram(two_with_a_hole());
  const auto map = ram.map();
  ASSERT_EQ(map->regions().size(), 2U);
  EXPECT_EQ(map->regions()[0].first.value, kMiB);
  EXPECT_EQ(map->regions()[0].first_index, 0U);
  EXPECT_EQ(map->regions()[1].first.value, 8 * kMiB);
  EXPECT_EQ(map->regions()[1].first_index, bytes_to_pages(kMiB));
  EXPECT_EQ(map->bytes(), 3 * kMiB);
  EXPECT_EQ(map->pages(), bytes_to_pages(3 * kMiB));
}

TEST(GuestMemory, RefusesRegionsThatCannotBe) {
  expect_refused({spec(0x5000, 0)}, "0x5000");
  expect_refused({spec(0x5001, kPageSize)}, "0x5001");
  expect_refused({spec(0x5000, kPageSize + 1)}, "0x1001");
  expect_refused({spec(0x5000, kPageSize - 1)}, "0xfff");
  expect_refused({spec(kTop, 2 * kPageSize)}, "wraps");
  expect_refused({spec(kTop, kPageSize)}, "wraps");  // its end has no address
  RegionSpec unmapped = spec(0x5000, kPageSize);
  unmapped.host = nullptr;
  expect_refused({unmapped}, "not mapped");
}

TEST(GuestMemory, RefusesOverlapInEitherOrder) {
  expect_refused({spec(0, 2 * kPageSize), spec(kPageSize, kPageSize)}, "overlap");
  expect_refused({spec(kPageSize, kPageSize), spec(0, 2 * kPageSize)}, "overlap");
  expect_refused({spec(0x4000, kPageSize), spec(0x4000, kPageSize)}, "0x4000");
  expect_refused({spec(0, 8 * kPageSize), spec(2 * kPageSize, kPageSize)}, "overlap");
}

TEST(GuestMemory, TakesNeighboursAndTheLastPageBelowTheTop) {
  EXPECT_TRUE(GuestMemory::create(std::vector{spec(0, kPageSize), spec(kPageSize, kPageSize)}));
  EXPECT_TRUE(GuestMemory::create(std::vector{spec(kTop - kPageSize, kPageSize)}));
}

TEST(GuestMemory, MayBeEmpty) {
  const auto map = GuestMemory::create({});
  ASSERT_TRUE(map.has_value());
  EXPECT_EQ((*map)->bytes(), 0U);
  EXPECT_EQ((*map)->find(Gpa{0}), nullptr);
  EXPECT_FALSE((*map)->contains({Gpa{0}, 1}));
}

TEST(GuestMemory, FindIsExactAtTheEdges) {
  const test::GuestRam ram(two_with_a_hole());
  const auto map = ram.map();
  const Region* low = &map->regions()[0];
  const Region* high = &map->regions()[1];
  EXPECT_EQ(map->find(Gpa{kMiB - 1}), nullptr);
  EXPECT_EQ(map->find(Gpa{kMiB}), low);
  EXPECT_EQ(map->find(Gpa{2 * kMiB - 1}), low);
  EXPECT_EQ(map->find(Gpa{2 * kMiB}), nullptr);
  EXPECT_EQ(map->find(Gpa{8 * kMiB - 1}), nullptr);
  EXPECT_EQ(map->find(Gpa{8 * kMiB}), high);
  EXPECT_EQ(map->find(Gpa{10 * kMiB - 1}), high);
  EXPECT_EQ(map->find(Gpa{10 * kMiB}), nullptr);
  EXPECT_EQ(map->find(Gpa{0}), nullptr);
  EXPECT_EQ(map->find(Gpa{UINT64_MAX}), nullptr);
  EXPECT_EQ(map->find(Pfn{256}), low);
  EXPECT_EQ(map->find(Pfn{255}), nullptr);
  EXPECT_EQ(map->find(Pfn{UINT32_MAX}), nullptr);
}

TEST(GuestMemory, ContainsNeedsEveryByte) {
  const test::GuestRam ram(two_with_a_hole());
  const auto map = ram.map();
  EXPECT_TRUE(map->contains({Gpa{kMiB}, kMiB}));
  EXPECT_TRUE(map->contains({Gpa{2 * kMiB - 1}, 1}));
  EXPECT_FALSE(map->contains({Gpa{2 * kMiB - 1}, 2}));
  EXPECT_FALSE(map->contains({Gpa{kMiB - 1}, 2}));
  EXPECT_FALSE(map->contains({Gpa{kMiB}, 9 * kMiB})) << "both ends are RAM, the middle is not";
  EXPECT_FALSE(map->contains({Gpa{8 * kMiB}, UINT64_MAX})) << "the end wraps around";
  EXPECT_FALSE(map->contains({Gpa{8 * kMiB}, UINT64_MAX - 8 * kMiB}));
  EXPECT_TRUE(map->contains({Gpa{3 * kMiB}, 0})) << "no bytes are nowhere";
}

TEST(GuestMemory, ReadTranslatesWithTheOffsetInTheFile) {
  const test::GuestRam ram(two_with_a_hole());
  const auto map = ram.map();
  ram.put(Gpa{kMiB}, 0x11223344U);
  ram.put(Gpa{10 * kMiB - 4}, 0x55667788U);
  std::uint32_t value = 0;
  ASSERT_TRUE(map->read(Gpa{kMiB}, std::as_writable_bytes(std::span(&value, 1))));
  EXPECT_EQ(value, 0x11223344U);
  ASSERT_TRUE(map->read(Gpa{10 * kMiB - 4}, std::as_writable_bytes(std::span(&value, 1))));
  EXPECT_EQ(value, 0x55667788U);
  EXPECT_EQ(map->regions()[0].file_offset, 3 * kMiB);
  EXPECT_EQ(map->regions()[1].file_offset, 0U);
}

TEST(GuestMemory, OneReadCrossesNeighbouringRegions) {
  // Neighbours in the guest, apart and the other way round in the file.
  const test::GuestRam ram({{Gpa{0}, 2 * kPageSize, 8 * kPageSize},
                            {Gpa{2 * kPageSize}, kPageSize, 2 * kPageSize},
                            {Gpa{3 * kPageSize}, kPageSize, 0}});
  const auto map = ram.map();
  std::vector<std::byte> expected;
  for (std::uint64_t i = 0; i < 4 * kPageSize; ++i) {
    const auto byte = static_cast<std::byte>(i * 31 + i / 256);
    ram.put(Gpa{i}, byte);
    expected.push_back(byte);
  }
  std::vector<std::byte> all(4 * kPageSize);
  ASSERT_TRUE(map->read(Gpa{0}, all));
  EXPECT_EQ(all, expected);
  std::vector<std::byte> middle(kPageSize + 2);
  ASSERT_TRUE(map->read(Gpa{2 * kPageSize - 1}, middle));
  EXPECT_TRUE(std::equal(middle.begin(), middle.end(), expected.begin() + 2 * kPageSize - 1));
  EXPECT_TRUE(map->contains({Gpa{0}, 4 * kPageSize}));
  EXPECT_FALSE(map->contains({Gpa{0}, 4 * kPageSize + 1}));
}

TEST(GuestMemory, ReadOutsideRamFails) {
  const test::GuestRam ram(two_with_a_hole());
  const auto map = ram.map();
  std::array<std::byte, 8> out{};
  EXPECT_FALSE(map->read(Gpa{2 * kMiB - 4}, out)) << "ends in the hole";
  EXPECT_FALSE(map->read(Gpa{kMiB - 4}, out)) << "begins before the region";
  EXPECT_FALSE(map->read(Gpa{5 * kMiB}, out));
  EXPECT_FALSE(map->read(Gpa{UINT64_MAX - 3}, out));
  EXPECT_TRUE(map->read(Gpa{5 * kMiB}, std::span(out).first(0)));
}

TEST(GuestMemory, MapsKnowsItsHostBytesToTheLast) {
  const test::GuestRam ram(two_with_a_hole());
  const auto map = ram.map();
  const std::byte* low = ram.at(Gpa{kMiB});
  const std::byte* high = ram.at(Gpa{8 * kMiB});
  EXPECT_TRUE(map->maps(low, kMiB));
  EXPECT_FALSE(map->maps(low, kMiB + 1));
  EXPECT_FALSE(map->maps(low - 1, 1));
  EXPECT_TRUE(map->maps(low + kMiB - 1, 1));
  EXPECT_FALSE(map->maps(low + kMiB, 1));
  EXPECT_TRUE(map->maps(high, 2 * kMiB));
  EXPECT_FALSE(map->maps(high + kMiB, UINT64_MAX)) << "the end wraps around";
  EXPECT_FALSE(map->maps(nullptr, 1));
}

TEST(GuestMemory, KeepsAFileDescriptorOfItsOwn) {
  std::shared_ptr<const GuestMemory> map;
  int theirs = -1;
  {
    const test::GuestRam ram(two_with_a_hole());
    theirs = ram.fd();
    map = ram.map();
  }
  ASSERT_EQ(map->regions().size(), 2U);
  for (const Region& region : map->regions()) {
    EXPECT_NE(region.fd.get(), theirs);
    EXPECT_TRUE(inspect_backing(region.fd.get()).can_discard) << "still open";
  }
}

}  // namespace
}  // namespace vballoon::gmem
