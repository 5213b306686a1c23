// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/wire/test_large_balloon.cpp - messages of device 13 are the bytes of its document.
// Source: docs/device-13.md, 12 (the exchange) and clauses DEV-3, DEV-15. Does not prove that
//         either side sends them.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "wire/large_balloon.hpp"

namespace vballoon::wire::large {
namespace {

template <typename T>
std::vector<int> bytes_of(const T& value) {
  std::array<std::uint8_t, sizeof(T)> raw{};
  std::memcpy(raw.data(), &value, sizeof(T));
  return {raw.begin(), raw.end()};
}

using Bytes = std::vector<int>;

/// 2 MiB and nothing else, as on hugetlbfs.
constexpr Config kHuge{.page_shift = 21, .node = kAnyNode, .max_pages = 256, .size_mask = 0x200};
/// 4 KiB, and 2 MiB for transparent huge pages.
constexpr Config kBoth{.page_shift = 12, .node = kAnyNode, .max_pages = 256, .size_mask = 0x201};

TEST(LargeBalloonWire, ATargetIsTheBytesOfTheDocument) {
  EXPECT_EQ(bytes_of(Request{RequestType::kResize, Effort::kReclaim, 7, 2}),
            (Bytes{0, 0, 1, 0, 7, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(bytes_of(Request{RequestType::kStats, Effort::kFree, 8, 0}),
            (Bytes{1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(LargeBalloonWire, AHeaderIsTheBytesOfTheDocument) {
  EXPECT_EQ(bytes_of(Header{MessageType::kPages, 21, 0, 7}), (Bytes{0, 0x15, 0, 0, 7, 0, 0, 0}));
  EXPECT_EQ(bytes_of(Header{MessageType::kPressure, 0, 3, 0x01020304}),
            (Bytes{4, 0, 3, 0, 4, 3, 2, 1}));
}

TEST(LargeBalloonWire, AStateIsTheBytesOfTheDocument) {
  EXPECT_EQ(bytes_of(State{2, 2, 107, 0}),
            (Bytes{2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0x6b, 0, 0, 0, 0, 0, 0, 0}));
}

/// Section 3: with every newer field zero, header and request are VIRTIO-28's.
TEST(LargeBalloonWire, ThePlainFormIsAWideTypeAndZeroes) {
  std::uint64_t header = 0;
  const Header stats{.type = MessageType::kStats};
  std::memcpy(&header, &stats, sizeof(header));
  EXPECT_EQ(header, 1U);
  std::uint32_t type = 0;
  const Request request{.type = RequestType::kStats};
  std::memcpy(&type, &request, sizeof(type));
  EXPECT_EQ(type, 1U);
  std::uint64_t tag = 0;
  const Stat stat{.tag = kBalloonTag};
  std::memcpy(&tag, &stat, sizeof(tag));
  EXPECT_EQ(tag, 17U);
}

TEST(LargeBalloonWire, OnlySizesThatAreOfferedMayCome) {
  EXPECT_TRUE(offers_size(kBoth, true, 12));
  EXPECT_TRUE(offers_size(kBoth, true, 21));
  EXPECT_FALSE(offers_size(kBoth, true, 13));
  EXPECT_FALSE(offers_size(kBoth, false, 21)) << "the bit is not negotiated";
  EXPECT_FALSE(offers_size(kHuge, true, 12));
  EXPECT_TRUE(offers_size(kHuge, false, 21));
  for (const unsigned shift : {0U, 11U, 44U, 63U, 64U, 255U}) {
    EXPECT_FALSE(offers_size(Config{12, kAnyNode, 1, 0xffffffff}, true, shift)) << shift;
  }
}

TEST(LargeBalloonWire, AShiftOfZeroIsTheSmallestPage) {
  EXPECT_EQ(page_shift(kBoth, Header{}), 12U);
  EXPECT_EQ(page_shift(kHuge, Header{}), 21U);
  EXPECT_EQ(page_shift(kBoth, Header{.shift = 21}), 21U);
}

TEST(LargeBalloonWire, AConfigurationThatContradictsItselfIsNone) {
  EXPECT_TRUE(is_valid(kHuge));
  EXPECT_TRUE(is_valid(kBoth));
  EXPECT_TRUE(is_valid(Config{43, 3, 512, 0x80000000}));
  EXPECT_FALSE(is_valid(Config{11, kAnyNode, 256, 1})) << "smaller than any page";
  EXPECT_FALSE(is_valid(Config{44, kAnyNode, 256, 0x80000000}));
  EXPECT_FALSE(is_valid(Config{21, kAnyNode, 256, 0x201})) << "a size below the unit";
  EXPECT_FALSE(is_valid(Config{12, kAnyNode, 256, 0x200})) << "the unit is no size";
  EXPECT_FALSE(is_valid(Config{12, kAnyNode, 256, 0}));
  EXPECT_FALSE(is_valid(Config{12, kAnyNode, 0, 1}));
  EXPECT_FALSE(is_valid(Config{12, kAnyNode, 513, 1}));
}

}  // namespace
}  // namespace vballoon::wire::large
