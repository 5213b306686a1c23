// SPDX-License-Identifier: BSD-3-Clause
//
// What the driver of large pages says byte by byte, and what it makes of a device that lies.
// Against the real daemon: tests/model/test_large*.cpp.
#include "driver/large_balloon_driver.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "fake_large_device.hpp"

namespace vballoon::driver {
namespace {

using std::chrono::milliseconds;
using wire::large::Config;
using wire::large::Effort;
using wire::large::Header;
using wire::large::Level;
using wire::large::MessageType;
using wire::large::Reason;
using wire::large::RequestType;

constexpr unsigned kHuge = 21;
constexpr std::uint64_t kAll = (std::uint64_t{1} << wire::large::kFeatures) - 1;
constexpr std::uint64_t kTransport = wire::Features{}
                                         .with(wire::Feature::kVersion1)
                                         .with(wire::Feature::kVhostProtocolFeatures)
                                         .bits();
constexpr std::uint64_t kPacked = wire::Features{}.with(wire::Feature::kRingPacked).bits();

std::vector<Gpa> huge_pages(std::uint64_t first, std::uint64_t count) {
  std::vector<Gpa> pages;
  for (std::uint64_t i = 0; i < count; ++i) pages.push_back(Gpa{(first + i) << kHuge});
  return pages;
}

/// Hands back what was added, the last first.
class Obeying {
 public:
  std::uint32_t operator()(const FakeBuffer& buffer) {
    const Header header = buffer.header();
    if (header.type == MessageType::kRelease) return release(buffer);
    if (header.type != MessageType::kPages) return 0;
    if (buffer.writable.empty()) {
      const auto pages = buffer.pages();
      balloon_.insert(balloon_.end(), pages.begin(), pages.end());
      return 0;
    }
    std::vector<Gpa> back;
    while (back.size() < std::min(buffer.room() / sizeof(Gpa), most_) && !balloon_.empty()) {
      back.push_back(balloon_.back());
      balloon_.pop_back();
    }
    buffer.write(std::as_bytes(std::span(back)));
    return static_cast<std::uint32_t>(back.size() * sizeof(Gpa));
  }
  /// Pages that the host has memory for, a message.
  std::size_t most_ = ~std::size_t{0};

 private:
  std::uint32_t release(const FakeBuffer& buffer) {
    const std::uint64_t count = std::min(buffer.pages().size(), most_);
    buffer.write(std::as_bytes(std::span(&count, 1)));
    return sizeof(count);
  }
  std::vector<Gpa> balloon_;
};

/// With rings of either layout.
class LargeDriver : public ::testing::TestWithParam<bool> {
 protected:
  LargeDriver() {
    vmm_.offered = kTransport | kAll | (GetParam() ? kPacked : 0);
    vmm_.config = {.page_shift = 12, .node = 3, .max_pages = 8, .size_mask = 0x201};
  }

  Result<std::unique_ptr<LargeBalloonDriver>> connect(const LargeOptions& options = {}) {
    auto ends = MessageSocket::pair().value();
    backend_.emplace(std::move(ends.second), [this](const Message& m) { return vmm_(m); });
    return LargeBalloonDriver::start(std::move(ends.first), ram_, options);
  }
  void start(MessageScript script, const LargeOptions& options = {}) {
    driver_ = connect(options).value();
    rings_.emplace(*driver_, std::move(script));
  }
  void TearDown() override {
    rings_.reset();
    driver_.reset();
    backend_.reset();
  }

  GuestRam ram_ = GuestRam::create(flat_ram(64 * kMiB)).value();
  FakeLargeVmm vmm_;
  std::optional<FakeBackend> backend_;
  std::unique_ptr<LargeBalloonDriver> driver_;
  std::optional<FakeRings> rings_;
};

INSTANTIATE_TEST_SUITE_P(Each, LargeDriver, ::testing::Bool(),
                         [](const auto& layout) { return layout.param ? "Packed" : "Split"; });

TEST_P(LargeDriver, TakesAllThatIsOfferedAndReadsEachField) {
  start(Obeying{});
  EXPECT_EQ(vmm_.acked, vmm_.offered);
  EXPECT_EQ(vmm_.config_reads, (std::set<std::uint32_t>{0, 4, 8, 12}));
  EXPECT_EQ(driver_->config().node, 3U);
  EXPECT_EQ(driver_->sizes(), (std::vector<unsigned>{21, 12}));
}

TEST_P(LargeDriver, ReadsNoFieldWhoseBitItHasNot) {
  LargeOptions options;
  options.features = ~kAll;
  start(Obeying{}, options);
  EXPECT_EQ(vmm_.config_reads, (std::set<std::uint32_t>{0}));
  EXPECT_EQ(driver_->sizes(), (std::vector<unsigned>{12}));
}

TEST_P(LargeDriver, DrivesNoDeviceWithoutVersionOne) {
  vmm_.offered &= ~wire::Features{}.with(wire::Feature::kVersion1).bits();
  EXPECT_EQ(connect().error().code, Code::kUnavailable);
}

TEST_P(LargeDriver, DrivesNoDeviceWhoseConfigurationCannotBe) {
  for (const Config wrong : {Config{.page_shift = 11, .max_pages = 8, .size_mask = 1},
                             Config{.page_shift = 44, .max_pages = 8, .size_mask = 1},
                             Config{.page_shift = 12, .max_pages = 0, .size_mask = 1},
                             Config{.page_shift = 12, .max_pages = 513, .size_mask = 1},
                             Config{.page_shift = 21, .max_pages = 8, .size_mask = 1},
                             Config{.page_shift = 12, .max_pages = 8, .size_mask = 0}}) {
    vmm_.config = wrong;
    EXPECT_EQ(connect().error().code, Code::kInvalidArgument) << wrong.page_shift;
  }
}

/// Section 12's exchange.
TEST_P(LargeDriver, SaysWhatTheDocumentsExchangeHas) {
  vmm_.config = {.page_shift = 21, .max_pages = 8, .size_mask = 0x200};
  start(Obeying{});
  ASSERT_TRUE(rings_->request({RequestType::kResize, Effort::kReclaim, 7, 2}));
  ASSERT_TRUE(driver_->serve(Deadline(milliseconds(2000))).value());
  EXPECT_EQ(driver_->target()->units, 2U);
  EXPECT_EQ(driver_->target()->effort, Effort::kReclaim);
  ASSERT_TRUE(driver_->add(huge_pages(1, 2), kHuge));
  ASSERT_TRUE(driver_->send_state(Reason::kReached, {.size = 2, .target = 2, .longest_us = 107}));
  const auto back = driver_->withdraw(1, kHuge);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, huge_pages(2, 1));
  const auto seen = rings_->seen();
  ASSERT_EQ(seen.size(), 3U);
  const auto bytes = [](std::initializer_list<int> values) {
    std::vector<std::byte> all;
    for (const int value : values) all.push_back(static_cast<std::byte>(value));
    return all;
  };
  EXPECT_EQ(seen[0].readable, bytes({0, 0x15, 0, 0, 7, 0, 0,    0, 0, 0, 0x20, 0,
                                     0, 0,    0, 0, 0, 0, 0x40, 0, 0, 0, 0,    0}));
  EXPECT_EQ(seen[1].readable, bytes({3, 0, 0, 0, 7, 0, 0, 0, 2,    0, 0, 0, 0, 0, 0, 0,
                                     2, 0, 0, 0, 0, 0, 0, 0, 0x6b, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(seen[2].readable, bytes({0, 0x15, 0, 0, 7, 0, 0, 0}));
  EXPECT_EQ(seen[2].room(), 8U);
  EXPECT_EQ(driver_->violations().total(), 0U);
}

TEST_P(LargeDriver, PutsNoMorePagesIntoAMessageThanTheDeviceTakes) {
  LargeOptions options;
  options.depth = 3;
  start(Obeying{}, options);
  ASSERT_TRUE(driver_->add(huge_pages(1, 20), kHuge));
  std::vector<std::size_t> counts;
  for (const FakeBuffer& message : rings_->seen()) counts.push_back(message.pages().size());
  EXPECT_EQ(counts, (std::vector<std::size_t>{8, 8, 4}));
  EXPECT_EQ(driver_->balloon().bytes(), 40 * kMiB);
  const LargeTraffic traffic = driver_->take_traffic(MessageKind::kAdd);
  EXPECT_EQ(traffic.messages, 3U);
  EXPECT_EQ(traffic.pages, 20U);
  EXPECT_EQ(traffic.latency.count(), 3U);
}

TEST_P(LargeDriver, ThePlainFormLeavesEachNewerFieldZero) {
  LargeOptions options;
  options.features = ~kAll;
  start(Obeying{}, options);
  ASSERT_TRUE(rings_->request({.value = 4}));
  ASSERT_TRUE(driver_->serve(Deadline(milliseconds(2000))).value());
  ASSERT_TRUE(driver_->add({{Gpa{kMiB}, Gpa{2 * kMiB}}}, 12));
  ASSERT_TRUE(driver_->send_stats());
  EXPECT_EQ(driver_->withdraw(2, 12)->size(), 2U);
  for (const FakeBuffer& message : rings_->seen()) {
    std::uint64_t word = 0;
    std::memcpy(&word, message.readable.data(), sizeof(word));
    EXPECT_EQ(word, static_cast<std::uint64_t>(message.header().type));
  }
  EXPECT_EQ(driver_->release({}, 12).error().code, Code::kUnavailable);
  EXPECT_EQ(driver_->send_state(Reason::kReached, {}).error().code, Code::kUnavailable);
  EXPECT_EQ(driver_->send_pressure(Level::kOom, {}).error().code, Code::kUnavailable);
}

TEST_P(LargeDriver, AShortAnswerEndsAWithdrawal) {
  Obeying device;
  device.most_ = 3;
  start(device);
  ASSERT_TRUE(driver_->add(huge_pages(1, 8), kHuge));
  EXPECT_EQ(driver_->withdraw(8, kHuge)->size(), 3U);
  EXPECT_EQ(driver_->balloon().size(), 5U);
  const auto left = driver_->balloon().pages(kHuge);
  EXPECT_EQ(driver_->release(left, kHuge).value(), 3U);
  EXPECT_EQ(driver_->balloon().size(), 2U);
  EXPECT_EQ(driver_->violations().total(), 0U);
}

/// DEV-9, DEV-10, DRV-13.
TEST_P(LargeDriver, APageThatIsNotInTheBalloonIsCountedAndLeftAlone) {
  start([](const FakeBuffer& buffer) -> std::uint32_t {
    if (buffer.writable.empty()) return 0;
    const std::vector<Gpa> lies{Gpa{2 * kMiB}, Gpa{2 * kMiB}, Gpa{10 * kMiB}, Gpa{kMiB}};
    buffer.write(std::as_bytes(std::span(lies)));
    return 32;
  });
  ASSERT_TRUE(driver_->add(huge_pages(1, 4), kHuge));
  EXPECT_EQ(driver_->withdraw(4, kHuge).value(), huge_pages(1, 1)) << "2 MiB, once";
  EXPECT_EQ(driver_->violations().not_in_balloon, 3U);
  EXPECT_EQ(driver_->withdraw(4, 12).value(), std::vector<Gpa>{}) << "not as pages of 4 KiB";
}

TEST_P(LargeDriver, AnAnswerOfALengthThatCannotBeIsCounted) {
  std::uint32_t length = 4;
  start([&length](const FakeBuffer&) { return length; });
  ASSERT_TRUE(driver_->add(huge_pages(1, 1), kHuge));
  EXPECT_EQ(driver_->violations().bad_length, 1U) << "nothing is written into an ADD";
  EXPECT_EQ(driver_->withdraw(1, kHuge)->size(), 0U);
  EXPECT_EQ(driver_->violations().bad_length, 2U) << "half an address";
  length = 4096;
  EXPECT_EQ(driver_->withdraw(1, kHuge)->size(), 0U);
  EXPECT_GE(driver_->violations().bad_length, 3U) << "more than there was room for";
}

TEST_P(LargeDriver, RequestsAreActedOnInOrder) {
  LargeOptions options;
  options.requests.buffers = 3;
  start(Obeying{}, options);
  ASSERT_TRUE(rings_->request({RequestType::kResize, Effort::kFree, 1, 10}));
  ASSERT_TRUE(rings_->request({RequestType::kStats, Effort::kFree, 9, 0}));
  ASSERT_TRUE(rings_->request({RequestType::kResize, static_cast<Effort>(7), 2, 20}));
  EXPECT_FALSE(rings_->request({RequestType::kResize, Effort::kFree, 3, 30})) << "no buffer";
  ASSERT_TRUE(driver_->serve(Deadline(milliseconds(2000))).value());
  EXPECT_EQ(driver_->resizes(), 2U);
  EXPECT_EQ(driver_->target()->units, 20U);
  EXPECT_EQ(driver_->target()->effort, Effort::kSweep) << "DRV-6";
  ASSERT_TRUE(rings_->request({RequestType::kResize, Effort::kFree, 3, 30}));
  ASSERT_TRUE(driver_->serve(Deadline(milliseconds(2000))).value());
  EXPECT_EQ(driver_->target()->serial, 3U);
  const Deadline deadline(milliseconds(2000));
  while (driver_->stats_answered() == 0 && !deadline.passed()) {
    static_cast<void>(driver_->serve(Deadline(milliseconds(1))));
  }
  const auto seen = rings_->seen();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].header().type, MessageType::kStats);
  EXPECT_EQ(seen[0].header().serial, 9U) << "that of the request";
}

TEST_P(LargeDriver, ARequestThatIsShortOrUnknownIsIgnored) {
  start(Obeying{});
  ASSERT_TRUE(rings_->request({RequestType::kResize, Effort::kFree, 1, 10}, 12));
  ASSERT_TRUE(rings_->request({static_cast<RequestType>(9), Effort::kFree, 1, 10}));
  EXPECT_FALSE(driver_->serve(Deadline(milliseconds(50))).value());
  EXPECT_FALSE(driver_->target());
  EXPECT_EQ(driver_->violations().bad_length, 1U);
}

TEST_P(LargeDriver, AMessageThatNoDriverSendsComesBackAsTheDeviceLeftIt) {
  start([](const FakeBuffer& buffer) -> std::uint32_t {
    if (buffer.room() < 16) return 0;
    buffer.write(std::array<std::byte, 4>{std::byte{1}});
    return 4;
  });
  const std::vector<std::byte> odd(13);
  const auto answer = driver_->exchange(odd, 16);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->written, 4U);
  EXPECT_EQ(answer->bytes[0], std::byte{1});
  EXPECT_EQ(answer->bytes[15], std::byte{0xA5}) << "not written";
  EXPECT_EQ(rings_->seen().at(0).readable.size(), 13U);
}

TEST_P(LargeDriver, AResetEmptiesTheBalloonAndForgetsTheTarget) {
  start(Obeying{});
  ASSERT_TRUE(rings_->request({.value = 4}));
  ASSERT_TRUE(driver_->add(huge_pages(1, 4), kHuge));
  ASSERT_TRUE(driver_->serve(Deadline(milliseconds(2000))));
  rings_.reset();
  ASSERT_TRUE(driver_->reset());
  EXPECT_EQ(driver_->balloon().size(), 0U);
  EXPECT_FALSE(driver_->target());
}

}  // namespace
}  // namespace vballoon::driver
