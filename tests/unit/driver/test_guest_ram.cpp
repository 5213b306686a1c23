// SPDX-License-Identifier: BSD-3-Clause
#include "driver/guest_ram.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace vballoon::driver {
namespace {

void punch(int fd, std::uint64_t offset) {
  ASSERT_EQ(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                        kPageSize),
            0);
}

TEST(GuestRam, TouchedPagesAreAllocatedAndHolesAreNot) {
  const auto ram = GuestRam::create(flat_ram(kMiB)).value();
  EXPECT_EQ(ram.allocated_bytes(), 0U);
  for (const Pfn pfn : ram.pages()) ram.page(pfn).front() = std::byte{1};
  EXPECT_EQ(ram.allocated_bytes(), kMiB);
  punch(ram.table_fds()[0], 5 * kPageSize);
  EXPECT_EQ(ram.allocated_bytes(), kMiB - kPageSize);
  EXPECT_FALSE(ram.is_allocated(Pfn{5}));
  EXPECT_TRUE(ram.is_allocated(Pfn{4}));
  EXPECT_TRUE(ram.reads_zero(Pfn{5}));
  EXPECT_FALSE(ram.reads_zero(Pfn{6}));
  EXPECT_FALSE(ram.is_allocated(Pfn{5})) << "looking must not allocate";
}

TEST(GuestRam, TwoRegionsAroundAHoleShareOneFileAtAnOffset) {
  const auto ram = GuestRam::create(ram_with_hole(4 * kMiB, kMiB, 2 * kMiB)).value();
  const auto table = ram.table();
  ASSERT_EQ(table.size(), 2U);
  EXPECT_EQ(table[0].guest_address, 0U);
  EXPECT_NE(table[0].mmap_offset, 0U);
  EXPECT_EQ(table[1].guest_address, 3 * kMiB);
  EXPECT_EQ(table[1].mmap_offset, table[0].mmap_offset + kMiB);
  EXPECT_EQ(ram.table_fds()[0], ram.table_fds()[1]);
  EXPECT_EQ(ram.bytes(), 4 * kMiB);
  EXPECT_TRUE(ram.at(Gpa{2 * kMiB}, 1).empty()) << "in the hole";
  EXPECT_TRUE(ram.at(Gpa{kMiB - 1}, 2).empty()) << "into the hole";

  const Pfn above{static_cast<std::uint32_t>(bytes_to_pages(3 * kMiB))};
  ram.page(above).front() = std::byte{1};
  EXPECT_TRUE(ram.is_allocated(above));
  punch(ram.table_fds()[1], table[1].mmap_offset);
  EXPECT_FALSE(ram.is_allocated(above));
}

TEST(GuestRam, PlugAddsARegionAndKeepsTheRest) {
  auto ram = GuestRam::create(flat_ram(kMiB)).value();
  std::byte* const before = ram.page(Pfn{0}).data();
  ASSERT_TRUE(ram.plug(Gpa{16 * kMiB}, 2 * kMiB));
  EXPECT_EQ(ram.bytes(), 3 * kMiB);
  EXPECT_EQ(ram.page(Pfn{0}).data(), before);
  EXPECT_EQ(ram.table().size(), 2U);
  ASSERT_TRUE(ram.unplug(Gpa{16 * kMiB}));
  EXPECT_EQ(ram.bytes(), kMiB);
  EXPECT_EQ(ram.unplug(Gpa{16 * kMiB}).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace vballoon::driver
