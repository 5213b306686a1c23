// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_huge_pool.cpp - the kernel's own figures, and its own pool.
#include "reclaim/huge/pool.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/huge_pages.hpp"
#include "driver/temporary_folder.hpp"
#include "reclaim/discarder.hpp"
#include "reclaim/huge/reserve.hpp"
#include "reclaim/reclaimer.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::reclaim {
namespace {

class SysfsPoolTest : public testing::Test {
 protected:
  SysfsPoolTest() { std::filesystem::create_directory(folder_ / "hugepages-2048kB"); }
  void put(const char* name, const char* text) {
    std::ofstream(folder_ / "hugepages-2048kB" / name) << text << '\n';
  }
  driver::TemporaryFolder scratch_;
  const std::filesystem::path folder_ = scratch_.path();
};

TEST_F(SysfsPoolTest, ReadsTheFilesOfItsSizeAnewEachTime) {
  put("free_hugepages", "17");
  put("resv_hugepages", "3");
  put("surplus_hugepages", "1");
  SysfsPool pool(folder_, 2 * kMiB);
  const auto first = pool.look();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->free, 17U);
  EXPECT_EQ(first->reserved, 3U);
  EXPECT_EQ(first->surplus, 1U);
  put("free_hugepages", "4");
  EXPECT_EQ(pool.look()->free, 4U);
}

TEST_F(SysfsPoolTest, SaysNothingWhereAFileIsMissingOrNoNumber) {
  put("free_hugepages", "17");
  put("resv_hugepages", "3");
  EXPECT_FALSE(SysfsPool(folder_, 2 * kMiB).look());
  put("surplus_hugepages", "many");
  EXPECT_FALSE(SysfsPool(folder_, 2 * kMiB).look());
  EXPECT_FALSE(SysfsPool(folder_, kGiB).look());
}

/// A file of the kernel's default huge pages, all there, whose guest gives them up one by one.
class RealPool : public testing::Test {
 protected:
  static constexpr std::uint64_t kPages = 4;

  void SetUp() override {
    if (!pages_) GTEST_SKIP() << pages_.error().message;
    ASSERT_TRUE(fd_.valid());
    huge_ = gmem::inspect_backing(fd_.get()).host_page;
    ASSERT_EQ(::ftruncate(fd_.get(), static_cast<off_t>(kPages * huge_)), 0);
    ASSERT_EQ(::fallocate(fd_.get(), 0, 0, static_cast<off_t>(kPages * huge_)), 0);
    memory_ = std::make_unique<test::PhantomMap>(
        fd_.get(), std::vector<test::RamPiece>{{Gpa{0}, kPages * huge_, 0}});
    reclaimer_.handover().set_sink(sink_);
    reclaimer_.gather().set_tells_host(true);
    reclaimer_.set_memory(memory_->map());
    take_all_others();
  }
  /// Whatever else the pool has, and may make, belongs to somebody else.
  void take_all_others() {
    constexpr off_t kLarge = off_t{1} << 40;
    ASSERT_EQ(::ftruncate(others_.get(), kLarge), 0);
    while (::fallocate(others_.get(), 0, taken_, static_cast<off_t>(huge_)) == 0) {
      taken_ += static_cast<off_t>(huge_);
    }
  }
  void others_give_one() {
    taken_ -= static_cast<off_t>(huge_);
    ASSERT_EQ(::fallocate(others_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, taken_,
                          static_cast<off_t>(huge_)),
              0);
  }
  void give_up(std::uint64_t page) {
    const std::uint64_t full = bytes_to_pages(huge_);
    reclaimer_.inflate({page * full, full}, 0);
    reclaimer_.pump(0, true);
  }
  [[nodiscard]] std::uint64_t allocated() const {
    struct stat file {};
    EXPECT_EQ(::fstat(fd_.get(), &file), 0);
    return static_cast<std::uint64_t>(file.st_blocks) * 512 / huge_;
  }

  // First to come, last to go.
  const Result<driver::HugePages> pages_ = driver::HugePages::get(kPages);
  const UniqueFd fd_ = test::open_hugetlb();
  const UniqueFd others_ = test::open_hugetlb();
  off_t taken_ = 0;
  std::uint64_t huge_ = 0;
  std::unique_ptr<test::PhantomMap> memory_;
  HolePuncher puncher_;
  InlineSink sink_{puncher_};
  HugeReserve reserve_{host_pool};
  Reclaimer reclaimer_{ReclaimLimits{.reserve = &reserve_}};
};

TEST_F(RealPool, WhatOthersTookMeanwhileStopsTheNextDiscard) {
  give_up(0);
  ASSERT_EQ(allocated(), kPages - 1);
  give_up(1);
  ASSERT_EQ(allocated(), kPages - 2) << "both are in the pool";
  take_all_others();
  give_up(2);
  EXPECT_EQ(allocated(), kPages - 2);
  EXPECT_EQ(reclaimer_.counters().uncovered_bytes.get(), huge_);
  EXPECT_EQ(reclaimer_.counters().failed_calls.get(), 0U);
  others_give_one();
  give_up(3);
  EXPECT_EQ(allocated(), kPages - 2) << "two are owed, one is free";
  others_give_one();
  give_up(3);
  EXPECT_EQ(allocated(), kPages - 3);
}

/// The kernel's promise for a mapping goes with the hole, and is no free page for anybody else.
TEST_F(RealPool, AGuestThatTouchesItsPagesAgainIsOwedNothing) {
  const std::uint64_t bytes = kPages * huge_;
  void* const guest = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  ASSERT_NE(guest, MAP_FAILED);
  give_up(0);
  give_up(1);
  ASSERT_EQ(allocated(), kPages - 2);
  *static_cast<volatile char*>(guest) = 1;
  take_all_others();
  give_up(2);
  EXPECT_EQ(allocated(), kPages - 1) << "page 1 is owed, and others have it";
  others_give_one();
  give_up(3);
  EXPECT_EQ(allocated(), kPages - 2) << "page 1 is owed, page 0 no more";
  ::munmap(guest, bytes);
}

}  // namespace
}  // namespace vballoon::reclaim
