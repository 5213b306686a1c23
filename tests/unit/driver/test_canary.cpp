// SPDX-License-Identifier: BSD-3-Clause
#include "driver/canary.hpp"

#include <gtest/gtest.h>

#include <array>

namespace vballoon::driver {
namespace {

using Page = std::array<std::byte, kPageSize>;

struct alignas(8) AlignedPage {
  Page bytes{};
};

TEST(Canary, HoldsWhatWasFilled) {
  AlignedPage page;
  fill_canary(page.bytes, 7, Pfn{42});
  EXPECT_TRUE(holds_canary(page.bytes, 7, Pfn{42}));
}

TEST(Canary, TellsOtherPagesAndSeedsApart) {
  AlignedPage page;
  fill_canary(page.bytes, 7, Pfn{42});
  EXPECT_FALSE(holds_canary(page.bytes, 7, Pfn{43}));
  EXPECT_FALSE(holds_canary(page.bytes, 8, Pfn{42}));
}

TEST(Canary, AnEmptyPageNeverHolds) {
  const AlignedPage page;
  for (std::uint32_t pfn = 0; pfn < 10'000; ++pfn) {
    ASSERT_FALSE(holds_canary(page.bytes, pfn, Pfn{pfn}));
  }
}

TEST(Canary, EveryByteCounts) {
  AlignedPage page;
  fill_canary(page.bytes, 1, Pfn{0});
  for (std::byte& byte : page.bytes) {
    byte ^= std::byte{1};
    ASSERT_FALSE(holds_canary(page.bytes, 1, Pfn{0}));
    byte ^= std::byte{1};
  }
  EXPECT_TRUE(holds_canary(page.bytes, 1, Pfn{0}));
}

TEST(Canary, NamesTheFirstChangedPage) {
  const auto ram = GuestRam::create(flat_ram(64 * kPageSize)).value();
  const std::vector<Pfn> pages = ram.pages();
  fill_canaries(ram, pages, 3);
  EXPECT_EQ(check_canaries(ram, pages, 3).changed, 0U);
  ram.page(Pfn{20})[4095] ^= std::byte{0x80};
  ram.page(Pfn{30})[0] ^= std::byte{0x01};
  const CanaryVerdict verdict = check_canaries(ram, pages, 3);
  EXPECT_EQ(verdict.checked, 64U);
  EXPECT_EQ(verdict.changed, 2U);
  EXPECT_EQ(verdict.first_changed, Pfn{20});
}

}  // namespace
}  // namespace vballoon::driver
