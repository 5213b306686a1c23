// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/base/test_size_exact.cpp - byte counts to the last digit, and figures at a unit's
// edge.
#include <gtest/gtest.h>

#include <cstdint>

#include "base/size_text.hpp"
#include "base/units.hpp"

namespace vballoon {
namespace {

TEST(ParseSize, ByteCountsAreExact) {
  EXPECT_EQ(parse_size("9007199254740993").value_or(0), 9007199254740993U);
  EXPECT_EQ(parse_size("4611686018427387905").value_or(0), 4611686018427387905U);
  EXPECT_EQ(parse_size("9223372036854775807").value_or(0), 9223372036854775807U);
}

TEST(ParseSizeOrShare, TheWholeIsExact) {
  EXPECT_EQ(parse_size_or_share("100%").value().of(9007199254740993U), 9007199254740993U);
}

TEST(FormatSize, WhatRoundsUpToTheNextUnitIsShownInIt) {
  EXPECT_EQ(format_size(kMiB - 1), "1.00 MiB");
  EXPECT_EQ(format_size(kGiB - 1), "1.00 GiB");
  EXPECT_EQ(format_size(10 * kGiB - 1), "10.0 GiB");
  EXPECT_EQ(format_size(100 * kGiB - 1), "100 GiB");
}

}  // namespace
}  // namespace vballoon
