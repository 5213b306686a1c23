// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_hole_puncher.cpp - memory really goes back to the host, and only that.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "driver/huge_pages.hpp"
#include "reclaim/discarder.hpp"
#include "reclaim/reclaimer.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::reclaim {
namespace {

constexpr std::byte kCanary{0x5a};

/// A device whose memory really goes back to the host.
class Punched {
 public:
  explicit Punched(std::shared_ptr<const gmem::GuestMemory> memory) {
    reclaimer.handover().set_sink(sink_);
    reclaimer.gather().set_tells_host(true);
    reclaimer.set_memory(std::move(memory));
  }
  void flush() {
    do {
      reclaimer.pump(0, true);
    } while (!reclaimer.drained());
  }

 private:
  HolePuncher puncher_;
  InlineSink sink_{puncher_};

 public:
  Reclaimer reclaimer{ReclaimLimits{}};
};

TEST(HolePuncher, FreesTheBlocksAndZeroesExactlyThosePages) {
  // Regions apart in the guest, the other way round in the file, with a gap.
  const test::GuestRam ram({{Gpa{kMiB}, 4 * kMiB, 3 * kMiB}, {Gpa{64 * kMiB}, 2 * kMiB, 0}});
  ram.fill(kCanary);
  const std::uint64_t before = ram.allocated_bytes();
  Punched device(ram.map());
  Reclaimer& reclaimer = device.reclaimer;
  std::set<std::uint64_t> gone;
  for (std::uint64_t page = 300; page < 900; ++page) gone.insert(page);         // a long run
  for (std::uint64_t page = 16384; page < 16800; page += 3) gone.insert(page);  // fragments
  for (const std::uint64_t page : gone) {
    ASSERT_EQ(reclaimer.inflate({page, 1}, 0).changed, 1U);
  }
  EXPECT_EQ(ram.allocated_bytes(), before) << "nothing is given back before the flush";
  device.flush();
  EXPECT_EQ(reclaimer.counters().failed_calls.get(), 0U);
  EXPECT_EQ(reclaimer.counters().inflated.bytes.get(), pages_to_bytes(gone.size()));
  EXPECT_EQ(before - ram.allocated_bytes(), pages_to_bytes(gone.size()));
  for (std::uint64_t page = 256; page < 1280; ++page) {
    ASSERT_TRUE(ram.page_holds(page, gone.contains(page) ? std::byte{0} : kCanary)) << page;
  }
  for (std::uint64_t page = 16384; page < 16896; ++page) {
    ASSERT_TRUE(ram.page_holds(page, gone.contains(page) ? std::byte{0} : kCanary)) << page;
  }
}

TEST(HolePuncher, AReportFreesTheBlocksToo) {
  const test::GuestRam ram({{Gpa{0}, 4 * kMiB, kMiB}});
  ram.fill(kCanary);
  const std::uint64_t before = ram.allocated_bytes();
  Punched device(ram.map());
  Reclaimer& reclaimer = device.reclaimer;
  ASSERT_TRUE(reclaimer.report({Gpa{kMiB}, 2 * kMiB}));
  device.flush();
  EXPECT_EQ(before - ram.allocated_bytes(), 2 * kMiB);
  EXPECT_TRUE(ram.page_holds(255, kCanary));
  EXPECT_TRUE(ram.page_holds(256, std::byte{0}));
  EXPECT_TRUE(ram.page_holds(767, std::byte{0}));
  EXPECT_TRUE(ram.page_holds(768, kCanary));
}

TEST(HolePuncher, TheFileKeepsItsLength) {
  const test::GuestRam ram({{Gpa{0}, kMiB, 0}});
  ram.fill(kCanary);
  HolePuncher puncher;
  EXPECT_TRUE(puncher.discard(ram.fd(), 512 * kKiB, 512 * kKiB));
  EXPECT_EQ(::lseek(ram.fd(), 0, SEEK_END), static_cast<off_t>(kMiB));
  EXPECT_TRUE(ram.page_holds(255, std::byte{0})) << "still mapped, and readable";
}

TEST(HolePuncher, SaysNoWhereTheKernelDoes) {
  HolePuncher puncher;
  EXPECT_FALSE(puncher.discard(-1, 0, kPageSize));
  std::array<int, 2> ends{-1, -1};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  EXPECT_FALSE(puncher.discard(writer.get(), 0, kPageSize));
  const test::GuestRam ram({{Gpa{0}, kMiB, 0}});
  EXPECT_FALSE(puncher.discard(ram.fd(), 0, 0)) << "an empty range is refused by the kernel";
  const UniqueFd read_only(
      ::open(("/proc/self/fd/" + std::to_string(ram.fd())).c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(puncher.discard(read_only.get(), 0, kPageSize));
}

TEST(HolePuncher, ASealedFileIsCountedAsRefused) {
  const UniqueFd fd(::memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(kMiB)), 0);
  ASSERT_EQ(::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  const test::PhantomMap memory(fd.get(), std::vector<test::RamPiece>{{Gpa{0}, kMiB, 0}});
  Punched device(memory.map());
  Reclaimer& reclaimer = device.reclaimer;
  EXPECT_EQ(reclaimer.inflate({3, 1}, 0).changed, 1U);
  device.flush();
  EXPECT_EQ(reclaimer.counters().failed_calls.get(), 1U);
  EXPECT_EQ(reclaimer.counters().inflated.bytes.get(), 0U);
  EXPECT_EQ(reclaimer.gather().ballooned_pages(), 1U);
}

TEST(HolePuncher, AHugePageGoesBackAsAWhole) {
  const auto pages = driver::HugePages::get(2);
  if (!pages) GTEST_SKIP() << pages.error().message;
  const UniqueFd fd = test::open_hugetlb();
  ASSERT_TRUE(fd.valid());
  const std::uint64_t huge = gmem::inspect_backing(fd.get()).host_page;
  ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(2 * huge)), 0);
  ASSERT_EQ(::fallocate(fd.get(), 0, 0, static_cast<off_t>(2 * huge)), 0);
  const auto allocated = [&fd] {
    struct stat file {};
    EXPECT_EQ(::fstat(fd.get(), &file), 0);
    return static_cast<std::uint64_t>(file.st_blocks) * 512;
  };
  const test::PhantomMap memory(fd.get(), std::vector<test::RamPiece>{{Gpa{0}, 2 * huge, 0}});
  Punched device(memory.map());
  Reclaimer& reclaimer = device.reclaimer;
  ASSERT_EQ(allocated(), 2 * huge);
  for (std::uint64_t page = 0; page + 1 < 2 * bytes_to_pages(huge); ++page) {
    EXPECT_EQ(reclaimer.inflate({page, 1}, 0).changed, 1U);
  }
  device.flush();
  EXPECT_EQ(allocated(), huge) << "the second one lacks its last page";
  EXPECT_EQ(reclaimer.counters().failed_calls.get(), 0U);
}

}  // namespace
}  // namespace vballoon::reclaim
