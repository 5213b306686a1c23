// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/base/test_zeroed_array.cpp - zero at first, keeps what is written, and costs no more.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/zeroed_array.hpp"

namespace vballoon {
namespace {

TEST(ZeroedArray, IsZeroAtFirstAndKeepsWhatIsWritten) {
  ZeroedArray<std::uint32_t> array(1000);
  for (std::size_t i = 0; i < 1000; ++i) EXPECT_EQ(array[i], 0U);
  array[0] = 1;
  array[999] = 2;
  EXPECT_EQ(array[0], 1U);
  EXPECT_EQ(array[999], 2U);
  EXPECT_EQ(array[500], 0U);
}

TEST(ZeroedArray, MayBeEmpty) {
  ZeroedArray<std::uint64_t> array(0);
  EXPECT_NO_THROW(array.provide());
  array = ZeroedArray<std::uint64_t>(1);
  EXPECT_EQ(array[0], 0U) << "an empty one can be replaced";
}

TEST(ZeroedArray, MovesWithItsElements) {
  ZeroedArray<std::uint64_t> from(10);
  from[3] = 7;
  const ZeroedArray<std::uint64_t> to(std::move(from));
  EXPECT_EQ(to[3], 7U);
}

class Residence : public testing::Test {
 protected:
  [[nodiscard]] auto resident_pages() {
    std::array<unsigned char, kPages> resident{};
    EXPECT_EQ(::mincore(&array_[0], kPages * page_, resident.data()), 0);
    return std::count_if(resident.begin(), resident.end(), [](auto bits) { return bits & 1; });
  }

  static constexpr std::size_t kPages = 64;
  const std::size_t page_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  ZeroedArray<unsigned char> array_{kPages * page_};
};

TEST_F(Residence, MemoryIsProvidedOnlyWhereSomethingIsWritten) {
  array_[5 * page_] = 1;
  EXPECT_EQ(resident_pages(), 1);
}

TEST_F(Residence, OrAllOfItAheadAndWhatIsThereStays) {
  array_[5 * page_] = 1;
  array_.provide();
  EXPECT_EQ(resident_pages(), kPages);
  EXPECT_EQ(array_[5 * page_], 1);
  EXPECT_EQ(array_[6 * page_], 0);
  ZeroedArray<int>(0).provide();
}

}  // namespace
}  // namespace vballoon
