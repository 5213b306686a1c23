// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_config_space.cpp - 16 bytes, at every offset and every length.
// Source: VIRTIO 1.2, 5.5.4, 2.5.1. Does not prove that a driver reads a field in one access: that
//         is the transport's.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "datapath/config_space.hpp"

namespace vballoon::datapath {
namespace {

constexpr std::uint32_t kMax = 20;
using Image = std::array<std::byte, wire::kConfigBytes>;

Image image_of(const ConfigSpace& config) {
  Image image{};
  EXPECT_TRUE(config.read(0, image));
  return image;
}

std::uint32_t word_at(const Image& image, std::uint32_t offset) {
  std::uint32_t value = 0;
  std::memcpy(&value, image.data() + offset, sizeof(value));
  return value;
}

std::vector<std::byte> pattern(std::mt19937& random, std::size_t bytes) {
  std::vector<std::byte> out(bytes);
  // Never zero: a byte that was not taken over is then seen.
  for (std::byte& byte : out) byte = static_cast<std::byte>(1 + random() % 255);
  return out;
}

/// What 5.5.4 leaves to the driver: actual and poison_val, each whole or not at all.
void model_write(Image& image, std::uint32_t offset, const std::vector<std::byte>& in) {
  if (offset + in.size() > wire::kConfigBytes) return;
  for (const std::uint32_t field : {wire::kActualOffset, wire::kPoisonOffset}) {
    if (offset <= field && offset + in.size() >= field + 4) {
      std::memcpy(image.data() + field, in.data() + (field - offset), 4);
    }
  }
}

// 5.5.4: le32 num_pages, actual, free_page_hint_cmd_id, poison_val.
TEST(ConfigSpace, FieldsLieWhereTheSpecPutsThem) {
  ConfigSpace config;
  config.set_num_pages(0x01020304);
  const std::array<std::byte, 4> actual{std::byte{0x11}, std::byte{0x22}, std::byte{0x33},
                                        std::byte{0x44}};
  ASSERT_TRUE(config.write(4, actual));
  ASSERT_TRUE(config.write(12, actual));
  EXPECT_EQ(config.actual(), 0x44332211U);
  EXPECT_EQ(config.poison_value(), 0x44332211U);
  const Image image = image_of(config);
  EXPECT_EQ(word_at(image, 0), 0x01020304U);
  EXPECT_EQ(image[0], std::byte{4}) << "little-endian";
  EXPECT_EQ(word_at(image, 4), 0x44332211U);
  EXPECT_EQ(word_at(image, 8), wire::kHintDone);
  EXPECT_EQ(word_at(image, 12), 0x44332211U);
}

TEST(ConfigSpace, ReadsAtEveryOffsetAndLength) {
  std::mt19937 random(1);
  ConfigSpace config;
  config.set_num_pages(0xa1b2c3d4);
  ASSERT_TRUE(config.write(0, pattern(random, wire::kConfigBytes)));
  const Image image = image_of(config);
  for (std::uint32_t offset = 0; offset <= kMax; ++offset) {
    for (std::uint32_t length = 0; length <= kMax; ++length) {
      std::vector<std::byte> room(kMax, std::byte{0xee});
      const std::span out = std::span(room).first(length);
      EXPECT_EQ(config.read(offset, out), offset < wire::kConfigBytes) << offset << "+" << length;
      for (std::uint32_t i = 0; i < length; ++i) {
        const bool inside = offset + i < wire::kConfigBytes;
        EXPECT_EQ(out[i], inside ? image[offset + i] : std::byte{0}) << offset << "+" << i;
      }
      EXPECT_EQ(std::count(room.begin() + length, room.end(), std::byte{0xee}), kMax - length);
    }
  }
}

TEST(ConfigSpace, WritesAtEveryOffsetAndLength) {
  std::mt19937 random(2);
  ConfigSpace config;
  config.set_num_pages(77);
  for (std::uint32_t offset = 0; offset <= kMax; ++offset) {
    for (std::uint32_t length = 0; length <= kMax; ++length) {
      Image model = image_of(config);
      const auto in = pattern(random, length);
      const bool fits = offset + length <= wire::kConfigBytes;
      EXPECT_EQ(config.write(offset, in), fits) << offset << "+" << length;
      model_write(model, offset, in);
      EXPECT_EQ(image_of(config), model) << offset << "+" << length;
    }
  }
  EXPECT_EQ(config.num_pages(), 77U);
}

TEST(ConfigSpace, AnyOrderOfWritesFollowsTheModel) {
  std::mt19937 random(3);
  ConfigSpace config;
  Image model = image_of(config);
  for (int i = 0; i < 20'000; ++i) {
    const auto offset = static_cast<std::uint32_t>(random() % (kMax + 1));
    const auto in = pattern(random, random() % (kMax + 1));
    static_cast<void>(config.write(offset, in));
    model_write(model, offset, in);
    ASSERT_EQ(image_of(config), model) << i;
  }
}

TEST(ConfigSpace, FarOffsetsDoNotWrapAround) {
  ConfigSpace config;
  config.set_num_pages(5);
  std::array<std::byte, 8> bytes{};
  bytes.fill(std::byte{0xff});
  for (const std::uint32_t offset : {UINT32_MAX, UINT32_MAX - 3, UINT32_MAX - 7, 0x8000'0000U}) {
    EXPECT_FALSE(config.write(offset, bytes));
    std::array<std::byte, 8> out{};
    out.fill(std::byte{0xee});
    EXPECT_FALSE(config.read(offset, out));
    EXPECT_EQ(out, (std::array<std::byte, 8>{})) << "nothing of the space, and nothing else either";
  }
  EXPECT_EQ(config.actual(), 0U);
  EXPECT_EQ(config.num_pages(), 5U);
}

// A VMM writes back all of the space, its num_pages older than the operator's last wish.
TEST(ConfigSpace, AStaleWriteBackKeepsTheTarget) {
  ConfigSpace config;
  config.set_num_pages(100);
  Image stale = image_of(config);
  config.set_num_pages(200);
  const std::uint32_t actual = 42;
  std::memcpy(stale.data() + wire::kActualOffset, &actual, sizeof(actual));
  EXPECT_TRUE(config.write(0, stale));
  EXPECT_EQ(config.num_pages(), 200U);
  EXPECT_EQ(config.actual(), 42U);
}

// 5.5.6.5: STOP is 0, DONE is 1, all others are rounds; an id is not used again.
TEST(ConfigSpace, EveryRoundOfHintsHasAnIdOfItsOwn) {
  ConfigSpace config;
  EXPECT_EQ(config.command_hints(wire::HintAction::kStart), wire::kFirstHintRound);
  EXPECT_EQ(word_at(image_of(config), 8), wire::kFirstHintRound);
  EXPECT_EQ(config.command_hints(wire::HintAction::kStop), wire::kHintStop);
  EXPECT_EQ(config.command_hints(wire::HintAction::kStart), wire::kFirstHintRound + 1);
  EXPECT_EQ(config.command_hints(wire::HintAction::kStart), wire::kFirstHintRound + 2);
  EXPECT_EQ(config.command_hints(wire::HintAction::kDone), wire::kHintDone);
  config.reset_driver_fields();
  EXPECT_EQ(config.command_hints(wire::HintAction::kStart), wire::kFirstHintRound + 3);
}

TEST(ConfigSpace, ANewDriverIsInNoRoundOfHints) {
  ConfigSpace config;
  static_cast<void>(config.command_hints(wire::HintAction::kStart));
  config.begin_anew();
  EXPECT_EQ(config.hint_command(), wire::kHintDone);
}

TEST(ConfigSpace, ASizeIsKnownOnceADriverBeginsOrSaysIt) {
  ConfigSpace config;
  EXPECT_FALSE(config.knows_actual()) << "there is no driver";
  config.begin_anew();
  EXPECT_TRUE(config.knows_actual());
  EXPECT_EQ(config.actual(), 0U);
  config.forget_actual();
  const std::array<std::byte, 4> part{};
  EXPECT_TRUE(config.write(wire::kPoisonOffset, part));
  EXPECT_FALSE(config.knows_actual()) << "that is another field";
  EXPECT_TRUE(config.write(wire::kActualOffset, part));
  EXPECT_TRUE(config.knows_actual());
  config.reset_driver_fields();
  EXPECT_FALSE(config.knows_actual());
}

TEST(ConfigSpace, ForgettingLeavesTheDevicesWish) {
  std::mt19937 random(4);
  ConfigSpace config;
  config.set_num_pages(9);
  ASSERT_TRUE(config.write(0, pattern(random, wire::kConfigBytes)));
  config.begin_anew();
  EXPECT_EQ(config.actual(), 0U);
  EXPECT_NE(config.poison_value(), 0U);
  config.reset_driver_fields();
  EXPECT_EQ(config.poison_value(), 0U);
  EXPECT_EQ(config.num_pages(), 9U);
}

}  // namespace
}  // namespace vballoon::datapath
