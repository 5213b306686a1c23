// SPDX-License-Identifier: BSD-3-Clause
//
// Configuration space over vhost-user: VIRTIO 1.2, 5.5.4; vhost-user GET_CONFIG, SET_CONFIG.
#include <array>
#include <cstring>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

constexpr std::uint32_t kBytes = 16;

class ConfigSpace : public DaemonTest {
 protected:
  void SetUp() override {
    driver_ = connect();
    ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
    daemon_.call("device.set", {{"name", device_}, {"target_bytes", 0x123 * kPageSize}});
  }
  std::vector<std::byte> read(std::uint32_t offset, std::uint32_t size) {
    return must(driver_->front_end().get_config(offset, size));
  }
  void write(std::uint32_t offset, std::span<const std::byte> bytes) {
    must(driver_->front_end().set_config(offset, bytes));
  }
  std::uint32_t word(std::uint32_t offset) {
    std::uint32_t value = 0;
    std::memcpy(&value, read(offset, 4).data(), sizeof(value));
    return value;
  }

  std::unique_ptr<BalloonDriver> driver_;
};

TEST_F(ConfigSpace, ReadsAtEveryOffsetAndLength) {
  must(driver_->write_actual(0xA1B2C3D4));
  const auto all = read(0, kBytes);
  EXPECT_EQ(word(0), 0x123U);
  EXPECT_EQ(word(4), 0xA1B2C3D4U);
  for (std::uint32_t offset = 0; offset < kBytes; ++offset) {
    for (std::uint32_t size = 1; offset + size <= kBytes; ++size) {
      const auto part = read(offset, size);
      EXPECT_TRUE(std::equal(part.begin(), part.end(), all.begin() + offset))
          << offset << " " << size;
    }
  }
}

TEST_F(ConfigSpace, WhatLiesBeyondIsRefusedAndHarmless) {
  EXPECT_FALSE(driver_->front_end().get_config(kBytes, 4));
  EXPECT_FALSE(driver_->front_end().get_config(0xFFFFFFFF, 4));
  const std::array<std::byte, 8> bytes{};
  EXPECT_FALSE(driver_->front_end().set_config(12, bytes));
  EXPECT_FALSE(driver_->front_end().set_config(0xFFFFFFFE, bytes));
  EXPECT_EQ(word(0), 0x123U);
}

TEST_F(ConfigSpace, TheWholeSpaceWrittenBackChangesOnlyWhatIsTheDrivers) {
  std::array<std::uint32_t, 4> fields{0x777, 0x55, 0x888, 0xAABBCCDD};
  write(0, std::as_bytes(std::span(fields)));
  EXPECT_EQ(word(0), 0x123U) << "num_pages is the device's";
  EXPECT_EQ(word(4), 0x55U);
  EXPECT_NE(word(8), 0x888U) << "free_page_hint_cmd_id is the device's";
  EXPECT_EQ(word(12), 0xAABBCCDDU);
  EXPECT_EQ(show().at("actual_bytes"), 0x55 * kPageSize);
}

TEST_F(ConfigSpace, WritesAtEveryOffsetAndLengthSpareTheDevicesFields) {
  const std::uint32_t command = word(8);
  const std::array<std::uint32_t, 4> fields{0x77777777, 0x77777777, 0x77777777, 0x77777777};
  const auto bytes = std::as_bytes(std::span(fields));
  for (std::uint32_t offset = 0; offset < kBytes; ++offset) {
    for (std::uint32_t size = 1; offset + size <= kBytes; ++size) {
      write(offset, bytes.first(size));
      ASSERT_EQ(word(0), 0x123U) << offset << " " << size;
      ASSERT_EQ(word(8), command) << offset << " " << size;
    }
  }
  EXPECT_EQ(word(4), 0x77777777U);
}

TEST_F(ConfigSpace, ATargetChangeIsTold) {
  static_cast<void>(must(driver_->serve(driver::Deadline(std::chrono::milliseconds(300)))));
  const std::uint64_t before = driver_->config_changes();
  daemon_.call("device.set", {{"name", device_}, {"target_bytes", kMiB}});
  EXPECT_TRUE(must(driver_->serve(driver::Deadline(std::chrono::seconds(2)))));
  EXPECT_EQ(driver_->config_changes(), before + 1);
  EXPECT_EQ(must(driver_->num_pages()), 256U);
}

}  // namespace
}  // namespace vballoon::model
