// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/base/test_size_text.cpp - sizes as people write and read them.
// Does not prove that every message reads well, only that it names the text.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/size_text.hpp"
#include "base/units.hpp"

namespace vballoon {
namespace {

constexpr std::uint64_t kTiB = 1024 * kGiB;

TEST(ParseSize, EveryUnitInEverySpelling) {
  const std::vector<std::pair<std::vector<std::string>, std::uint64_t>> units{
      {{"", "B", "b"}, 1},
      {{"K", "k", "KB", "kb", "KiB", "kib", "KIB"}, kKiB},
      {{"M", "m", "MB", "mB", "MiB", "mib"}, kMiB},
      {{"G", "g", "GB", "gb", "GiB", "GIB"}, kGiB},
      {{"T", "t", "TB", "tb", "TiB", "tib"}, kTiB},
  };
  for (const auto& [spellings, bytes] : units) {
    for (const std::string& spelling : spellings) {
      for (const char* gap : {"", " ", "  "}) {
        const std::string text = spelling.empty() ? "3" : std::string("3") + gap + spelling;
        const auto size = parse_size(text);
        ASSERT_TRUE(size.has_value()) << text;
        EXPECT_EQ(*size, 3 * bytes) << text;
      }
    }
  }
}

TEST(ParseMemorySize, ASmallNumberNeedsItsUnit) {
  for (const char* text : {"512", "1", "1048575", "0.5"}) {
    const auto size = parse_memory_size(text);
    const auto either = parse_size_or_share(text);
    ASSERT_FALSE(size.has_value() || either.has_value()) << text;
    EXPECT_EQ(size.error().code, Code::kInvalidArgument);
    EXPECT_NE(size.error().message.find(std::string("write ") + text + "M for MiB"),
              std::string::npos)
        << size.error().message;
    EXPECT_EQ(either.error().message, size.error().message);
  }
}

TEST(ParseMemorySize, WhatCanBeMeantOnlyOneWayIsTaken) {
  const std::vector<std::pair<const char*, std::uint64_t>> sizes{{"0", 0},
                                                                 {"0.0", 0},
                                                                 {"512B", 512},
                                                                 {"512 b", 512},
                                                                 {"512K", 524288},
                                                                 {"1048576", kMiB},
                                                                 {"536870912", 512 * kMiB},
                                                                 {"512M", 512 * kMiB}};
  for (const auto& [text, bytes] : sizes) {
    EXPECT_EQ(parse_memory_size(text).value_or(1), bytes) << text;
    const auto either = parse_size_or_share(text);
    ASSERT_TRUE(either.has_value()) << text;
    EXPECT_EQ(either->of(kGiB), bytes) << text;
  }
  const auto share = parse_size_or_share("0.5%");
  ASSERT_TRUE(share.has_value());
  EXPECT_EQ(share->of(1000 * kMiB), 5 * kMiB);
}

TEST(ParseSize, Fractions) {
  EXPECT_EQ(parse_size("1.5G").value_or(0), kGiB + 512 * kMiB);
  EXPECT_EQ(parse_size("0.5K").value_or(0), 512U);
  EXPECT_EQ(parse_size(".25M").value_or(0), 256 * kKiB);
  EXPECT_EQ(parse_size("2.0").value_or(0), 2U);
  EXPECT_EQ(parse_size("0").value_or(1), 0U);
  EXPECT_EQ(parse_size("0G").value_or(1), 0U);
}

TEST(ParseSize, TheLargestAreRefusedAndNotWrapped) {
  EXPECT_EQ(parse_size("8388607T").value_or(0), 8388607 * kTiB);
  for (const char* text :
       {"8388608T", "9223372036854775808", "18446744073709551616", "99999999T"}) {
    const auto size = parse_size(text);
    ASSERT_FALSE(size.has_value()) << text;
    EXPECT_EQ(size.error().code, Code::kInvalidArgument) << text;
  }
}

TEST(ParseSize, WhatIsNoSizeIsNamedInTheError) {
  for (const char* text : {"",    " ",   "M",        "G1",  "-1",    "-0",    "+1",   "1X",  "1MM",
                           "1iB", "1KK", "1bb",      "1M ", " 1M",   "1.2.3", "1,5G", "1e3", "0x10",
                           "inf", "nan", "infinity", "50%", "12 Mi", "1 000", "1KiBs"}) {
    const auto size = parse_size(text);
    ASSERT_FALSE(size.has_value()) << "'" << text << "' gave " << *size;
    EXPECT_EQ(size.error().code, Code::kInvalidArgument);
    EXPECT_NE(size.error().message.find("'" + std::string(text) + "'"), std::string::npos)
        << size.error().message;
    EXPECT_NE(size.error().message.find("512M"), std::string::npos) << size.error().message;
  }
}

std::uint64_t of(std::string_view text, std::uint64_t whole) {
  return parse_size_or_share(text).value().of(whole);
}

TEST(ParseSizeOrShare, SharesOfTheWhole) {
  EXPECT_EQ(of("50%", 4 * kGiB), 2 * kGiB);
  EXPECT_EQ(of("0%", 4 * kGiB), 0U);
  EXPECT_EQ(of("100%", 4 * kGiB), 4 * kGiB);
  EXPECT_EQ(of("12.5 %", kGiB), 128 * kMiB);
  EXPECT_EQ(of("33.3333%", 3'000'000), 999'999U);
  EXPECT_EQ(of("50%", 0), 0U);
}

TEST(ParseSizeOrShare, SharesStaySharesOfWhateverComes) {
  const SizeOrShare half = parse_size_or_share("50%").value();
  ASSERT_EQ(half.share, Share{500'000});
  EXPECT_EQ(half.of(64 * kMiB), 32 * kMiB);
  EXPECT_EQ(half.of(UINT64_MAX), UINT64_MAX / 2) << "nothing overflows";
  EXPECT_EQ(format_share(*half.share), "50 %");
  EXPECT_EQ(format_share(Share{125'000}), "12.5 %");
}

TEST(ParseSizeOrShare, SizesStayAbsolute) {
  EXPECT_EQ(parse_size_or_share("512M").value().share, std::nullopt);
  EXPECT_EQ(of("512M", kGiB), 512 * kMiB);
  // Whether it fits is for the caller, who knows what the whole is.
  EXPECT_EQ(of("2G", kGiB), 2 * kGiB);
}

TEST(ParseSizeOrShare, ErrorsNameTheTextAndBothForms) {
  for (const char* text : {"101%", "100.5%", "1000 %"}) {
    const auto share = parse_size_or_share(text);
    ASSERT_FALSE(share.has_value()) << text;
    EXPECT_EQ(share.error().code, Code::kInvalidArgument);
    EXPECT_NE(share.error().message.find(text), std::string::npos) << share.error().message;
  }
  for (const char* text : {"", "%", "-5%", "5%%", "5%M", "half", "nan%", "inf%"}) {
    const auto share = parse_size_or_share(text);
    ASSERT_FALSE(share.has_value()) << text;
    EXPECT_EQ(share.error().code, Code::kInvalidArgument);
    EXPECT_NE(share.error().message.find("50%"), std::string::npos) << share.error().message;
  }
}

TEST(FormatSize, WholeNumbersHaveNoFraction) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(17), "17 B");
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(4 * kKiB), "4 KiB");
  EXPECT_EQ(format_size(512 * kMiB), "512 MiB");
  EXPECT_EQ(format_size(3 * kGiB), "3 GiB");
  EXPECT_EQ(format_size(2 * kTiB), "2 TiB");
  EXPECT_EQ(format_size(4096 * kTiB), "4096 TiB");
}

TEST(FormatSize, ThreeSignificantDigits) {
  EXPECT_EQ(format_size(kGiB + kGiB / 2), "1.50 GiB");
  EXPECT_EQ(format_size(10 * kMiB + kMiB / 4), "10.2 MiB");
  EXPECT_EQ(format_size(100 * kMiB + kMiB / 4), "100 MiB");
}

TEST(FormatSize, WhatIsWrittenIsReadAgain) {
  for (std::uint64_t bytes = 1; bytes < kTiB; bytes = bytes * 7 / 4 + 1) {
    const auto again = parse_size(format_size(bytes));
    ASSERT_TRUE(again.has_value()) << format_size(bytes);
    // Three digits: within half of the last one.
    EXPECT_NEAR(static_cast<double>(*again), static_cast<double>(bytes),
                static_cast<double>(bytes) * 0.0051)
        << format_size(bytes);
  }
}

}  // namespace
}  // namespace vballoon
