// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/reclaim_layout.hpp - guest memory in two regions, neither where the file has
// it.
#pragma once

#include <gtest/gtest.h>

#include <numeric>
#include <set>
#include <vector>

#include "support/guest_ram.hpp"
#include "support/reclaim_harness.hpp"

namespace vballoon::reclaim {

// Guest pages 256 to 8191 (1 to 32 MiB) at 4 MiB in the file, 16384 to 16639 at 1 MiB.
inline constexpr std::uint64_t kLow = 256;
inline constexpr std::uint64_t kLowPages = 7936;
inline constexpr std::uint64_t kLowInFile = 1024;
inline constexpr std::uint64_t kHigh = 16384;
inline constexpr std::uint64_t kHighPages = 256;
inline constexpr std::uint64_t kHighInFile = 256;

inline std::uint64_t file_page(std::uint64_t page) {
  return page < kHigh ? page - kLow + kLowInFile : page - kHigh + kHighInFile;
}

class LayoutTest : public testing::Test {
 protected:
  static std::vector<std::uint64_t> range(std::uint64_t first, std::uint64_t pages) {
    std::vector<std::uint64_t> all(pages);
    std::iota(all.begin(), all.end(), first);
    return all;
  }
  static std::set<std::uint64_t> expected(const std::vector<std::uint64_t>& pages) {
    std::set<std::uint64_t> in_file;
    for (const std::uint64_t page : pages) in_file.insert(file_page(page));
    return in_file;
  }
  static std::set<std::uint64_t> expected_runs(const std::vector<PageRun>& runs) {
    std::set<std::uint64_t> in_file;
    for (const PageRun run : runs) in_file.merge(expected(range(run.first, run.pages)));
    return in_file;
  }
  /// Each page once, and each call bounded and aligned.
  void expect_tidy_calls() {
    std::uint64_t bytes = 0;
    for (const test::DiscardCall& call : h_.calls()) {
      EXPECT_NE(call.bytes, 0U);
      EXPECT_EQ(call.offset % kPageSize, 0U);
      EXPECT_EQ(call.bytes % kPageSize, 0U);
      EXPECT_EQ(call.offset / kBlockBytes, (call.offset + call.bytes - 1) / kBlockBytes)
          << "a call stays inside one 2 MiB block of the file";
      bytes += call.bytes;
    }
    EXPECT_EQ(bytes, pages_to_bytes(h_.discarder().file_pages().size())) << "no page twice";
  }

  test::GuestRam ram_{{{Gpa{kLow * kPageSize}, kLowPages* kPageSize, kLowInFile* kPageSize},
                       {Gpa{kHigh * kPageSize}, kHighPages* kPageSize, kHighInFile* kPageSize}}};
  test::ReclaimHarness h_{ram_.map()};
};

}  // namespace vballoon::reclaim
