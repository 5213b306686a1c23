// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_pfn_decoder.cpp - page numbers out of bytes, however they were cut.
// Source: VIRTIO 1.2, 5.5.6 le32 page numbers, 2.6.4 message framing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "datapath/pfn_decoder.hpp"

namespace vballoon::datapath {
namespace {

std::vector<std::byte> bytes_of(const std::vector<std::uint32_t>& words, std::size_t tail) {
  std::vector<std::byte> bytes(words.size() * 4 + tail, std::byte{0xdd});
  if (!words.empty()) std::memcpy(bytes.data(), words.data(), words.size() * 4);
  return bytes;
}

/// Decodes one piece into exactly the room that the contract asks for, with a guard behind it.
void feed(PfnDecoder& decoder, std::span<const std::byte> piece, std::vector<std::uint32_t>& to) {
  constexpr Pfn kGuard{0xdeadbeef};
  const std::size_t room = (piece.size() + 3) / 4;
  std::vector<Pfn> out(room + 1, kGuard);
  const std::size_t count = decoder.decode(piece, std::span(out).first(room));
  ASSERT_LE(count, room);
  EXPECT_EQ(out.back(), kGuard) << "wrote behind its room";
  for (std::size_t i = 0; i < count; ++i) to.push_back(out[i].value);
}

// 5.5.6: le32.
TEST(PfnDecoder, NumbersAreLittleEndian) {
  PfnDecoder decoder;
  std::vector<std::uint32_t> out;
  const std::vector<std::byte> bytes{std::byte{1},   std::byte{2}, std::byte{3}, std::byte{4},
                                     std::byte{255}, std::byte{0}, std::byte{0}, std::byte{0}};
  feed(decoder, bytes, out);
  EXPECT_EQ(out, (std::vector<std::uint32_t>{0x04030201, 255}));
  EXPECT_EQ(decoder.finish(), 0U);
}

TEST(PfnDecoder, NothingIsNothing) {
  PfnDecoder decoder;
  std::byte byte{};
  Pfn pfn;
  EXPECT_EQ(decoder.decode({&byte, 0}, {&pfn, 0}), 0U);
  EXPECT_EQ(decoder.finish(), 0U);
}

TEST(PfnDecoder, ATailThatMakesNoNumberIsCountedAndForgotten) {
  for (std::size_t tail = 0; tail < 4; ++tail) {
    PfnDecoder decoder;
    std::vector<std::uint32_t> out;
    feed(decoder, bytes_of({7, 8}, tail), out);
    EXPECT_EQ(out, (std::vector<std::uint32_t>{7, 8}));
    EXPECT_EQ(decoder.finish(), tail);
    EXPECT_EQ(decoder.finish(), 0U) << "counted once";
    out.clear();
    feed(decoder, bytes_of({9}, 0), out);
    EXPECT_EQ(out, (std::vector<std::uint32_t>{9})) << "the next buffer begins afresh";
  }
}

// 2.6.4: framing means nothing. Every way to cut 12 bytes: 2^11 of them.
TEST(PfnDecoder, EveryCutOfThreeNumbersIsTheSame) {
  const std::vector<std::uint32_t> words{0x11223344, 0xffffffff, 5};
  const auto bytes = bytes_of(words, 0);
  for (unsigned cuts = 0; cuts < 1U << 11; ++cuts) {
    PfnDecoder decoder;
    std::vector<std::uint32_t> out;
    std::size_t from = 0;
    for (std::size_t to = 1; to <= bytes.size(); ++to) {
      const bool cut_here = to == bytes.size() || ((cuts >> (to - 1)) & 1) != 0;
      if (!cut_here) continue;
      feed(decoder, std::span(bytes).subspan(from, to - from), out);
      from = to;
    }
    ASSERT_EQ(out, words) << cuts;
    ASSERT_EQ(decoder.finish(), 0U);
  }
}

TEST(PfnDecoder, AnyCutOfAnyLengthIsTheSame) {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::uint32_t> words(random() % 600);
    std::generate(words.begin(), words.end(), [&] { return static_cast<std::uint32_t>(random()); });
    const std::size_t tail = random() % 4;
    const auto bytes = bytes_of(words, tail);
    const std::size_t longest = 1 + random() % (1 + bytes.size());
    PfnDecoder decoder;
    std::vector<std::uint32_t> out;
    for (std::span<const std::byte> rest(bytes); !rest.empty();) {
      const std::size_t step = std::min<std::size_t>(rest.size(), random() % (longest + 1));
      feed(decoder, rest.first(step), out);
      rest = rest.subspan(step);
    }
    ASSERT_EQ(out, words) << round;
    ASSERT_EQ(decoder.finish(), tail) << round;
  }
}

}  // namespace
}  // namespace vballoon::datapath
