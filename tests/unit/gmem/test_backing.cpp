// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/gmem/test_backing.cpp - what kind of file a region lives in.
// Does not prove that a hole really frees memory: see the tests of reclaim.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "gmem/guest_memory.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::gmem {
namespace {

UniqueFd open_memfd(unsigned flags = 0) {
  UniqueFd fd(::memfd_create("backing", MFD_CLOEXEC | flags));
  EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(2 * kMiB)), 0);
  return fd;
}

UniqueFd reopen(int fd, int flags) {
  return UniqueFd(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), flags | O_CLOEXEC));
}

/// The huge page size that memfd_create(MFD_HUGETLB) uses, as the kernel tells people.
std::uint64_t default_huge_page() {
  std::ifstream info("/proc/meminfo");
  for (std::string line; std::getline(info, line);) {
    unsigned long long kib = 0;
    if (std::sscanf(line.c_str(), "Hugepagesize: %llu kB", &kib) == 1) return kib * kKiB;
  }
  return 0;
}

TEST(Backing, AMemfdIsFreedByFourKiB) {
  const Backing backing = inspect_backing(open_memfd().get());
  EXPECT_TRUE(backing.can_discard);
  EXPECT_EQ(backing.host_page, kPageSize);
}

TEST(Backing, ATmpfsFileIsFreedByFourKiB) {
  const UniqueFd fd(::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(fd.valid()) << "no tmpfs at /dev/shm";
  const Backing backing = inspect_backing(fd.get());
  EXPECT_TRUE(backing.can_discard);
  EXPECT_EQ(backing.host_page, kPageSize);
}

TEST(Backing, AReadOnlyDescriptorTakesNoHoles) {
  const UniqueFd memfd = open_memfd();
  EXPECT_FALSE(inspect_backing(reopen(memfd.get(), O_RDONLY).get()).can_discard);
  EXPECT_TRUE(inspect_backing(reopen(memfd.get(), O_RDWR).get()).can_discard);
}

TEST(Backing, WhatIsNoFileTakesNoHoles) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC));
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int fd : {-1, reader.get(), writer.get(), event.get(), null.get()}) {
    const Backing backing = inspect_backing(fd);
    EXPECT_FALSE(backing.can_discard) << fd;
    EXPECT_EQ(backing.host_page, kPageSize) << fd;
  }
}

TEST(Backing, HugetlbTellsItsPageSize) {
  const UniqueFd fd = test::open_hugetlb();
  if (!fd.valid()) GTEST_SKIP() << "this kernel has no hugetlbfs";
  const Backing backing = inspect_backing(fd.get());
  EXPECT_TRUE(backing.can_discard);
  EXPECT_EQ(backing.host_page, default_huge_page());
  EXPECT_GT(backing.host_page, kPageSize);
}

TEST(Backing, ARegionIsToldItsBacking) {
  const UniqueFd memfd = open_memfd();
  const UniqueFd read_only = reopen(memfd.get(), O_RDONLY);
  std::byte anchor{};
  const auto map = GuestMemory::create(std::vector<RegionSpec>{
      {Gpa{0}, kMiB, &anchor, memfd.get(), 0},
      {Gpa{kMiB}, kMiB, &anchor, read_only.get(), kMiB},
      {Gpa{2 * kMiB}, kMiB, &anchor, -1, 0},
  });
  ASSERT_TRUE(map.has_value());
  EXPECT_TRUE((*map)->regions()[0].backing.can_discard);
  EXPECT_FALSE((*map)->regions()[1].backing.can_discard);
  EXPECT_FALSE((*map)->regions()[2].backing.can_discard);
}

TEST(Resident, IsWhatWasTouchedOfEachFileOnce) {
  const UniqueFd memfd = open_memfd();
  std::byte anchor{};
  const auto map = GuestMemory::create(std::vector<RegionSpec>{
      {Gpa{0}, kMiB, &anchor, memfd.get(), 0}, {Gpa{kMiB}, kMiB, &anchor, memfd.get(), kMiB}});
  ASSERT_TRUE(map.has_value());
  EXPECT_EQ(resident_bytes(**map), 0U);
  const std::vector<char> bytes(3 * kPageSize, 'x');
  ASSERT_EQ(::pwrite(memfd.get(), bytes.data(), bytes.size(), 0), 3 * kPageSize);
  EXPECT_EQ(resident_bytes(**map), 3 * kPageSize);
  ASSERT_EQ(::fallocate(memfd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPageSize), 0);
  EXPECT_EQ(resident_bytes(**map), 2 * kPageSize);
}

TEST(Resident, IsTheSumOfTheFilesEachCountedOnce) {
  const UniqueFd ram = open_memfd(), more = open_memfd();
  std::byte anchor{};
  const auto map =
      GuestMemory::create(std::vector<RegionSpec>{{Gpa{2 * kMiB}, kMiB, &anchor, ram.get(), kMiB},
                                                  {Gpa{kMiB}, kMiB, &anchor, more.get(), 0},
                                                  {Gpa{0}, kMiB, &anchor, ram.get(), 0}});
  ASSERT_TRUE(map.has_value());
  const std::vector<char> bytes(kPageSize, 'x');
  ASSERT_EQ(::pwrite(ram.get(), bytes.data(), bytes.size(), 0), kPageSize);
  EXPECT_EQ(resident_bytes(**map), kPageSize);
  ASSERT_EQ(::pwrite(more.get(), bytes.data(), bytes.size(), 0), kPageSize);
  EXPECT_EQ(resident_bytes(**map), 2 * kPageSize);
}

TEST(MostGivenBack, IsNotAskedOfMemory) {
  const UniqueFd memfd = open_memfd();
  std::byte anchor{};
  const auto map =
      GuestMemory::create(std::vector<RegionSpec>{{Gpa{0}, kMiB, &anchor, memfd.get(), 0}});
  EXPECT_EQ(most_given_back(**map), std::nullopt);
}

/// Of a disk's file the holes, and of a file of memory beside it all.
TEST(MostGivenBack, IsWhatADisksFilesHaveInHoles) {
  const UniqueFd memfd = open_memfd();
  const UniqueFd disk(::open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(disk.valid());
  std::byte anchor{};
  const auto map =
      GuestMemory::create(std::vector<RegionSpec>{{Gpa{0}, kMiB, &anchor, disk.get(), 0},
                                                  {Gpa{kMiB}, kMiB, &anchor, disk.get(), kMiB},
                                                  {Gpa{2 * kMiB}, kMiB, &anchor, memfd.get(), 0}});
  if ((*map)->regions()[0].backing.memory) GTEST_SKIP() << "/var/tmp is no disk";
  ASSERT_EQ(::ftruncate(disk.get(), 2 * kMiB), 0);
  EXPECT_EQ(most_given_back(**map), 3 * kMiB);
  const std::vector<char> bytes(kMiB / 2, 'x');
  ASSERT_EQ(::pwrite(disk.get(), bytes.data(), bytes.size(), 0), kMiB / 2);
  EXPECT_EQ(most_given_back(**map), 2 * kMiB + kMiB / 2);
  ASSERT_EQ(::fallocate(disk.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kMiB / 4), 0);
  EXPECT_EQ(most_given_back(**map), 2 * kMiB + 3 * kMiB / 4);
}

TEST(Resident, IsNotKnownOfWhatIsNoMemory) {
  const UniqueFd disk(::open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  struct statfs system {};
  if (!disk.valid() || ::fstatfs(disk.get(), &system) != 0 || system.f_type == TMPFS_MAGIC) {
    GTEST_SKIP() << "no file of a disk can be had in /var/tmp";
  }
  std::byte anchor{};
  for (const int fd : {disk.get(), -1}) {
    const auto map = GuestMemory::create(std::vector<RegionSpec>{{Gpa{0}, kMiB, &anchor, fd, 0}});
    ASSERT_TRUE(map.has_value());
    EXPECT_FALSE(resident_bytes(**map)) << fd;
  }
}

TEST(Boot, IsTheFileOfTheLowestAddress) {
  const UniqueFd ram(::memfd_create("ram", MFD_CLOEXEC)), more(::memfd_create("more", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(ram.get(), 2 * kMiB), 0);
  ASSERT_EQ(::ftruncate(more.get(), 4 * kMiB), 0);
  std::byte anchor{};
  // Below and above a hole in the addresses, and a device of virtio-mem above all.
  const auto map =
      GuestMemory::create(std::vector<RegionSpec>{{Gpa{8 * kMiB}, 4 * kMiB, &anchor, more.get(), 0},
                                                  {Gpa{4 * kMiB}, kMiB, &anchor, ram.get(), kMiB},
                                                  {Gpa{0}, kMiB, &anchor, ram.get(), 0}});
  ASSERT_TRUE(map.has_value());
  EXPECT_EQ(boot_bytes(**map), 2 * kMiB);
}

}  // namespace
}  // namespace vballoon::gmem
