// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_claimed.cpp - a guest that claims 16 TiB and uses little of them.
// Memory is counted, time is not: perf/e2e/claimed.cpp does that.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <vector>

#include "support/reclaim_harness.hpp"

namespace vballoon::reclaim {
namespace {

constexpr std::uint64_t kClaim = 16 * 1024 * kGiB;
constexpr std::uint64_t kBelowHole = 3 * kGiB;
constexpr std::uint64_t kTarget = bytes_to_pages(64 * kMiB);

std::uint64_t resident_bytes() {
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// As QEMU has it: below 3 GiB, and from 4 GiB on.
std::shared_ptr<const gmem::GuestMemory> claimed_memory(int fd, std::uint64_t bytes) {
  std::byte nowhere{};
  const std::vector<gmem::RegionSpec> specs{
      {Gpa{0}, kBelowHole, &nowhere, fd, 0},
      {Gpa{4 * kGiB}, bytes - kBelowHole, &nowhere, fd, kBelowHole}};
  return gmem::GuestMemory::create(specs).value();
}

class Claimed : public testing::Test {
 protected:
  Claimed() : fd_(::memfd_create("claimed", MFD_CLOEXEC)) {
    EXPECT_EQ(::ftruncate(fd_.get(), static_cast<off_t>(kClaim)), 0);
  }
  /// One page in each of so many stretches of the guest, and then runs from its end.
  static std::vector<PageRun> some_runs() {
    std::vector<PageRun> runs;
    for (std::uint64_t i = 0; i < 64; ++i) {
      runs.push_back({bytes_to_pages(kClaim / 64 * i + 8 * kGiB) % bytes_to_pages(kClaim), 1});
    }
    runs.push_back({bytes_to_pages(kClaim) - kTarget, kTarget});
    return runs;
  }
  const UniqueFd fd_;
};

TEST_F(Claimed, CostsMemoryForWhatIsUsed) {
  const std::uint64_t before = resident_bytes();
  test::ReclaimHarness h(claimed_memory(fd_.get(), kClaim));
  h.discarder().sparse = true;  // as its file is; and it need not remember pages, which would count
  Reclaimer& reclaimer = h.reclaimer();
  reclaimer.gather().provide_tables();
  std::uint64_t pages = 0;
  for (const PageRun& run : some_runs()) pages += h.inflate(run).changed;
  EXPECT_EQ(pages, 64 + kTarget);
  h.flush();
  EXPECT_EQ(reclaimer.gather().reclaimed_pages(), pages);
  // As much memory plugged again, the same but for one GiB, and then a driver that is reset.
  reclaimer.set_memory(claimed_memory(fd_.get(), kClaim - kGiB));
  EXPECT_EQ(reclaimer.gather().ballooned_pages(), 64 + kTarget);
  reclaimer.gather_all(h.now_us);
  h.flush();
  EXPECT_LT(resident_bytes() - before, 64 * kMiB);
  reclaimer.empty();
  EXPECT_EQ(reclaimer.gather().ballooned_pages(), 0U);
  reclaimer.release();
  EXPECT_LT(resident_bytes() - before, 8 * kMiB) << "nothing is left behind";
}

TEST_F(Claimed, RoomOfAFileIsWalkedWhereItWasTouched) {
  const auto memory = claimed_memory(fd_.get(), kClaim);
  const std::uint64_t words = Bitmap::words_for(memory->pages());
  const UniqueFd file(::memfd_create("ledger", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(words * 8)), 0);
  void* const at = ::mmap(nullptr, words * 8, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(at, MAP_FAILED);
  std::vector<std::uint64_t> touched(Bitmap::marks_for(memory->pages()));
  const LedgerRoom room{{static_cast<std::uint64_t*>(at), words}, touched, false};
  const BlockMap blocks(memory);
  {
    Ledger ledger(blocks, room);
    EXPECT_EQ(ledger.insert(blocks.first_part({bytes_to_pages(kClaim / 2), 5})), 5U);
    EXPECT_EQ(ledger.erase(blocks.first_part({bytes_to_pages(kClaim / 4), 5})), 0U);
  }
  const Ledger again(blocks, {room.words, room.touched, true});
  EXPECT_EQ(again.population(), 5U);
  static_cast<void>(Ledger(blocks, room));
  EXPECT_EQ(Ledger(blocks, {room.words, room.touched, true}).population(), 0U) << "emptied";
  EXPECT_LE(::lseek(file.get(), 0, SEEK_DATA), static_cast<off_t>(words * 8));
  const off_t data = ::lseek(file.get(), 0, SEEK_DATA);
  EXPECT_EQ(::lseek(file.get(), data, SEEK_HOLE) - data, static_cast<off_t>(kPageSize))
      << "reading and emptying made no other page of the file";
  EXPECT_EQ(::lseek(file.get(), data + static_cast<off_t>(kPageSize), SEEK_DATA), -1);
  ::munmap(at, words * 8);
}

/// Against a plain set of bits, with ranges that begin and end near the borders of chunks.
TEST(BitmapOfChunks, IsWhatItsBitsAre) {
  constexpr std::uint64_t kBits = 5 * Bitmap::kChunkBits + 77;
  std::mt19937 random(1234);
  Bitmap map(kBits);
  std::vector<bool> model(kBits);
  const auto edge = [&] {
    const std::uint64_t near = random() % 7 * Bitmap::kChunkBits + random() % 5;
    return std::min(kBits, near - std::min<std::uint64_t>(near, 2));
  };
  const auto next = [&](std::uint64_t from, std::uint64_t end, bool bit) {
    while (from < end && model[from] != bit) ++from;
    return from;
  };
  for (int i = 0; i < 400; ++i) {
    const std::uint64_t a = edge();
    const std::uint64_t b = edge();
    const std::uint64_t first = std::min(a, b);
    const std::uint64_t count =
        i % 3 == 0 ? std::min<std::uint64_t>(1, kBits - first) : std::max(a, b) - first;
    const auto begin = model.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = begin + static_cast<std::ptrdiff_t>(count);
    const auto set = static_cast<std::uint64_t>(std::count(begin, end, true));
    ASSERT_EQ(map.count(first, count), set);
    if (i % 50 == 49) {
      map.clear_all();
      std::fill(model.begin(), model.end(), false);
    } else if (random() % 2 == 0) {
      ASSERT_EQ(map.set(first, count), count - set);
      std::fill(begin, end, true);
    } else {
      ASSERT_EQ(map.clear(first, count), set);
      std::fill(begin, end, false);
    }
    const std::uint64_t from = edge();
    const std::uint64_t until = std::max(from, edge());
    ASSERT_EQ(map.next_set(from, until), next(from, until, true));
    ASSERT_EQ(map.next_clear(from, until), next(from, until, false));
  }
}

}  // namespace
}  // namespace vballoon::reclaim
