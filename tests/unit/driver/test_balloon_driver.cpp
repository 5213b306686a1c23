// SPDX-License-Identifier: BSD-3-Clause
//
// What the driver negotiates and sets up. What it does with pages is tested against the real
// daemon, in tests/model.
#include "driver/balloon_driver.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <optional>
#include <set>

#include "fake_backend.hpp"

namespace vballoon::driver {
namespace {

using wire::Feature;
using wire::Request;

/// What is a guest's to accept: LOG_ALL is its VMM's, while it migrates.
constexpr std::uint64_t kEverything = wire::kOffered.with(Feature::kPagePoison)
                                          .with(Feature::kIndirectDesc)
                                          .without(Feature::kLogAll)
                                          .bits();

/// Keeps what a driver set up, and refuses nothing.
struct Recorder {
  std::uint64_t offered = kEverything;
  std::uint64_t protocol = wire::protocol::kReplyAck | wire::protocol::kConfig |
                           wire::protocol::kBackendReq | wire::protocol::kMq;
  std::uint64_t acked = 0;
  std::set<std::uint32_t> rings;
  std::set<std::uint32_t> enabled;
  std::map<std::uint32_t, std::uint32_t> config_writes;
  std::map<std::uint32_t, std::uint32_t> bases;

  Answer operator()(const Message& m) {
    wire::VringState state;
    switch (static_cast<Request>(m.header.request)) {
      case Request::kGetFeatures:
        return to_bytes(offered);
      case Request::kGetProtocolFeatures:
        return to_bytes(protocol);
      case Request::kSetFeatures:
        std::memcpy(&acked, m.payload.data(), sizeof(acked));
        break;
      case Request::kSetVringNum:
        std::memcpy(&state, m.payload.data(), sizeof(state));
        rings.insert(state.index);
        break;
      case Request::kSetVringEnable:
        std::memcpy(&state, m.payload.data(), sizeof(state));
        enabled.insert(state.index);
        break;
      case Request::kSetConfig:
        write_config(m);
        break;
      case Request::kSetVringBase:
        std::memcpy(&state, m.payload.data(), sizeof(state));
        bases[state.index] = state.num;
        break;
      case Request::kGetVringBase:
        std::memcpy(&state, m.payload.data(), sizeof(state));
        return to_bytes(wire::VringState{state.index, bases[state.index]});
      default:
        break;
    }
    return std::nullopt;
  }

  void write_config(const Message& m) {
    wire::ConfigHeader head;
    std::memcpy(&head, m.payload.data(), sizeof(head));
    std::memcpy(&config_writes[head.offset], m.payload.data() + sizeof(head), 4);
  }
};

class BalloonDriverTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<BalloonDriver>> start(const DriverOptions& options) {
    auto ends = MessageSocket::pair().value();
    backend_.emplace(std::move(ends.second), [this](const Message& m) { return recorder_(m); });
    return BalloonDriver::start(std::move(ends.first), ram_, options);
  }

  GuestRam ram_ = GuestRam::create(flat_ram(4 * kMiB)).value();
  Recorder recorder_;
  std::optional<FakeBackend> backend_;  // its thread uses the recorder, so it goes first
};

TEST_F(BalloonDriverTest, TakesWhatIsOfferedAndStartsFiveRings) {
  const auto driver = start({}).value();
  EXPECT_EQ(recorder_.acked, kEverything);
  EXPECT_EQ(recorder_.rings, (std::set<std::uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(recorder_.enabled, recorder_.rings);
}

TEST_F(BalloonDriverTest, CompactsItsQueuesLikeLinux) {
  DriverOptions options;
  options.features = ~wire::Features{}.with(Feature::kStatsVq).bits();
  const auto driver = start(options).value();
  EXPECT_EQ(recorder_.rings, (std::set<std::uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(driver->queue_number(Role::kReport), 3U);
}

TEST_F(BalloonDriverTest, KeepsTheNumbersOfTheSpecWhenAskedTo) {
  DriverOptions options;
  options.features = ~wire::Features{}.with(Feature::kStatsVq).bits();
  options.numbering = Numbering::kSpec;
  const auto driver = start(options).value();
  EXPECT_EQ(recorder_.rings, (std::set<std::uint32_t>{0, 1, 3, 4}));
}

TEST_F(BalloonDriverTest, TakesBitTwoForMessagesOnlyWhereNeitherHintsNorReportsAreOffered) {
  DriverOptions options;
  options.message_queue = true;
  const auto driver = start(options).value();
  EXPECT_EQ(driver->queue_number(Role::kMessage), std::nullopt);
  EXPECT_EQ(driver->send_pressure().error().code, Code::kUnavailable);
  EXPECT_EQ(recorder_.rings, (std::set<std::uint32_t>{0, 1, 2, 3, 4}));
}

TEST_F(BalloonDriverTest, DoesNotEnableRingsWithoutProtocolFeatures) {
  DriverOptions options;
  options.features = ~wire::Features{}.with(Feature::kVhostProtocolFeatures).bits();
  const auto driver = start(options).value();
  EXPECT_EQ(recorder_.rings.size(), 5U);
  EXPECT_TRUE(recorder_.enabled.empty());
}

TEST_F(BalloonDriverTest, WritesThePoisonValueBeforeTheRingsStart) {
  DriverOptions options;
  options.poison_value = 0xAA;
  const auto driver = start(options).value();
  EXPECT_EQ(recorder_.config_writes[12], 0xAAU);
}

/// vhost-user, "A vring descriptor index": split rings begin at 0; packed ones with both wrap
/// counters at 1.
TEST_F(BalloonDriverTest, RingsBeginWhereTheirLayoutHasThemBegin) {
  {
    const auto driver = start({}).value();
    for (const auto& [ring, base] : recorder_.bases) EXPECT_EQ(base, 0x8000'8000U) << ring;
  }
  DriverOptions options;
  options.features &= ~wire::Features{}.with(Feature::kRingPacked).bits();
  const auto driver = start(options).value();
  for (const auto& [ring, base] : recorder_.bases) EXPECT_EQ(base, 0U) << ring;
  EXPECT_EQ(recorder_.bases.size(), 5U);
}

TEST_F(BalloonDriverTest, AResetNegotiatesAgain) {
  const auto driver = start({}).value();
  recorder_.acked = 0;
  recorder_.rings.clear();
  ASSERT_TRUE(driver->reset());
  EXPECT_EQ(recorder_.acked, kEverything);
  EXPECT_EQ(recorder_.rings.size(), 5U);
}

TEST_F(BalloonDriverTest, SaysWhenTheRamIsTooSmallForIt) {
  DriverOptions options;
  options.arena_bytes = 8 * kMiB;
  EXPECT_EQ(start(options).error().code, Code::kInvalidArgument);
}

TEST_F(BalloonDriverTest, ABufferThatNeverComesBackIsAnError) {
  DriverOptions options;
  options.timeout = std::chrono::milliseconds(50);
  const auto driver = start(options).value();
  const std::vector<Pfn> pfns{Pfn{1000}};
  const auto lost = driver->inflate(pfns);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace vballoon::driver
