// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/base/test_snapshot.cpp - a record is read whole while it is being written.
// Does not prove the memory order on machines weaker than the one it runs
// on.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/snapshot.hpp"

namespace vballoon {
namespace {

/// Not a multiple of 8 bytes long, so the last word is only partly the record's.
struct Record {
  std::array<std::uint32_t, 33> words{};
};

Record record_of(std::uint32_t n) {
  Record record;
  record.words.fill(n);
  return record;
}

TEST(Snapshot, IsZeroBeforeTheFirstStore) {
  const Snapshot<Record> snapshot;
  EXPECT_EQ(snapshot.load().words, Record{}.words);
}

TEST(Snapshot, HoldsTheLastStore) {
  Snapshot<Record> snapshot;
  for (std::uint32_t n = 1; n < 100; ++n) {
    snapshot.store(record_of(n));
    EXPECT_EQ(snapshot.load().words, record_of(n).words);
  }
}

TEST(Snapshot, HoldsRecordsOfAnyLength) {
  Snapshot<char> one;
  one.store('x');
  EXPECT_EQ(one.load(), 'x');
  Snapshot<std::array<char, 9>> nine;
  nine.store({1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_EQ(nine.load(), (std::array<char, 9>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(Snapshot, IsNeverTornAndNeverGoesBack) {
  constexpr std::uint32_t kStores = 200'000;
  constexpr int kReaders = 2;
  Snapshot<Record> snapshot;
  std::atomic<int> torn{0};
  std::atomic<int> went_back{0};
  std::atomic<int> reading{0};
  const auto read_until_the_end = [&] {
    ++reading;
    for (std::uint32_t seen = 0; seen < kStores;) {
      const Record record = snapshot.load();
      const std::uint32_t now = record.words.front();
      if (std::any_of(record.words.begin(), record.words.end(),
                      [now](std::uint32_t word) { return word != now; })) {
        ++torn;
      }
      if (now < seen) ++went_back;
      seen = std::max(seen, now);
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) readers.emplace_back(read_until_the_end);
  while (reading != kReaders) std::this_thread::yield();
  for (std::uint32_t n = 1; n <= kStores; ++n) snapshot.store(record_of(n));
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(went_back, 0);
}

}  // namespace
}  // namespace vballoon
