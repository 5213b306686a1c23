// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string_view>

#include "vhost/record.hpp"

namespace vballoon::vhost {
namespace {

using wire::Request;

// Where fields are: after magic, version and a name of 64 bytes.
constexpr std::size_t kName = 8;
constexpr std::size_t kInode = kName + 64;
constexpr std::size_t kRestores = kInode + 8;
constexpr std::size_t kFlags = kRestores + 4;
constexpr std::size_t kRings = kFlags + 4;
constexpr std::size_t kRingBytes = 8;
constexpr std::size_t kDoor = kRings + wire::kQueues * kRingBytes;
constexpr std::size_t kSettings = kDoor + 44;
constexpr std::size_t kCount = kSettings + 4;
constexpr std::string_view kSampleSettings = "weight=200\n.";
constexpr std::size_t kMessages = kCount + 8 + kSampleSettings.size();

template <typename Payload>
std::vector<std::byte> bytes_of(const Payload& payload) {
  std::vector<std::byte> bytes(sizeof(payload));
  std::memcpy(bytes.data(), &payload, sizeof(payload));
  return bytes;
}

SaidMessage about(Request request, unsigned ring, std::size_t descriptors = 0) {
  return {request, bytes_of(wire::VringState{ring, 1}), descriptors};
}

Record sample() {
  Record record;
  record.device = "vm-1.a";
  record.door = {{0x801, 0x987654321, 44}};
  record.settings = kSampleSettings;
  record.connected = true;
  record.restores = 2;
  record.restarts = {5, 210, 350, 0x1234567890};
  record.state_inode = 0x123456789;
  record.undecided = true;
  record.rings[0] = {3, 0x8012, true, true, false};
  record.rings[4] = {1, 0, false, false, true};
  std::vector<std::byte> table(sizeof(wire::MemoryHeader) + 2 * sizeof(wire::MemoryRegion));
  record.said = {{Request::kSetOwner, {}, 0},
                 {Request::kSetProtocolFeatures, bytes_of(std::uint64_t{5}), 0},
                 {Request::kSetBackendReqFd, {}, 1},
                 {Request::kSetFeatures, bytes_of(~std::uint64_t{0}), 0},
                 {Request::kSetInflightFd, std::vector<std::byte>(wire::kInflightBytes), 1},
                 {Request::kSetMemTable, table, 2},
                 {Request::kGetInflightFd, {}, 1},
                 about(Request::kSetVringNum, 0),
                 about(Request::kSetVringBase, 0),
                 {Request::kSetVringAddr, bytes_of(wire::VringAddresses{}), 0},
                 about(Request::kSetVringCall, 0, 1),
                 about(Request::kSetVringKick, 0, 1),
                 about(Request::kSetVringEnable, 0),
                 about(Request::kSetVringKick, 4)};
  return record;
}

constexpr std::size_t kSampleDescriptors = 10;

Result<Record> changed(std::size_t at, std::uint32_t word) {
  auto bytes = encode(sample());
  std::memcpy(bytes.data() + at, &word, sizeof(word));
  return decode(bytes, kSampleDescriptors);
}

TEST(Record, ComesBackAsItWas) {
  const auto decoded = decode(encode(sample()), kSampleDescriptors);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, sample());
}

TEST(Record, OfADeviceThatNobodySpokeToComesBack) {
  Record record;
  record.device = "x";
  record.connected = true;
  const auto decoded = decode(encode(record), own_descriptors(record));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, record);
}

TEST(Record, OfADeviceThatNobodyIsConnectedToComesBackWithItsDoor) {
  Record record;
  record.device = "x";
  for (const std::size_t descriptors : {0U, 1U}) {
    if (descriptors == 1) record.door = {{1, 2, std::nullopt}};
    EXPECT_EQ(own_descriptors(record), descriptors);
    const auto decoded = decode(encode(record), descriptors);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(*decoded, record);
  }
}

TEST(Record, WithMessagesOfNobodyIsRefused) {
  Record record = sample();
  record.connected = false;
  for (const std::size_t descriptors : {kSampleDescriptors - 2, kSampleDescriptors}) {
    EXPECT_FALSE(decode(encode(record), descriptors));
  }
}

TEST(Record, OfTheLargestVmFitsIntoABag) {
  Record record;
  record.device = std::string(64, 'a');
  record.door.emplace();
  record.settings = std::string(kMaxSettingsBytes, 'a');
  record.connected = true;
  std::size_t descriptors = own_descriptors(record);
  const auto say = [&](Request request, std::vector<std::byte> payload, std::size_t fds) {
    payload.resize(longest_payload(request));
    record.said.push_back({request, std::move(payload), fds});
    descriptors += fds;
  };
  for (const auto request : {Request::kSetOwner, Request::kSetProtocolFeatures})
    say(request, {}, 0);
  say(Request::kSetBackendReqFd, {}, 1);
  say(Request::kSetFeatures, {}, 0);
  for (const auto request : {Request::kSetInflightFd, Request::kSetLogBase}) say(request, {}, 1);
  say(Request::kSetMemTable, {}, wire::kMaxRegions);
  say(Request::kGetInflightFd, {}, 1);
  for (unsigned ring = 0; ring < wire::kQueues; ++ring) {
    for (const auto request :
         {Request::kSetVringNum, Request::kSetVringBase, Request::kSetVringAddr,
          Request::kSetVringCall, Request::kSetVringKick, Request::kSetVringEnable}) {
      const bool fd = request == Request::kSetVringCall || request == Request::kSetVringKick;
      say(request, bytes_of(ring), fd ? 1 : 0);
    }
  }
  EXPECT_EQ(descriptors, kRecordDescriptors);
  const auto bytes = encode(record);
  EXPECT_LE(bytes.size(), 4096U);
  EXPECT_TRUE(decode(bytes, descriptors));
}

TEST(Record, OfAnotherVersionIsToldApart) {
  for (const unsigned version : {1U, 3U, 99U}) {
    const auto other = changed(4, version);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Code::kUnavailable);
    EXPECT_NE(other.error().message.find(fmt::format("of version {},", version)),
              std::string::npos);
  }
}

TEST(Record, WhoseFieldsAreOutOfRangeIsRefused) {
  const auto refused = [](std::size_t at, std::uint32_t word) {
    const auto record = changed(at, word);
    return !record && record.error().code == Code::kInvalidArgument;
  };
  EXPECT_TRUE(refused(0, 0)) << "magic";
  EXPECT_TRUE(refused(kName, 0)) << "no name";
  EXPECT_TRUE(refused(kName, 0x2F2F2F2F)) << "a name of slashes";
  EXPECT_TRUE(refused(kFlags, 64)) << "a flag";
  EXPECT_TRUE(refused(kSettings, kMaxSettingsBytes + 1)) << "more settings than there may be";
  EXPECT_TRUE(refused(kSettings, 1024)) << "settings beyond the end";
  EXPECT_TRUE(refused(kRings + 4, 8U << 16U)) << "a flag of a ring";
  EXPECT_TRUE(refused(kCount, 13)) << "bytes are left over";
  EXPECT_TRUE(refused(kCount, 15)) << "there are fewer messages";
  EXPECT_TRUE(refused(kMessages, 1)) << "no message of a record";
  EXPECT_TRUE(refused(kMessages + 4, 1)) << "longer than it may be";
  EXPECT_TRUE(refused(kMessages + 8, 1)) << "SET_OWNER with a descriptor";
  EXPECT_TRUE(refused(kMessages + 12, static_cast<std::uint32_t>(Request::kSetFeatures)))
      << "the same message twice";
  EXPECT_TRUE(refused(kMessages + 16, 7)) << "shorter than it may be";
}

TEST(Record, OfARingThatThereIsNotIsRefused) {
  Record record = sample();
  record.said.push_back(about(Request::kSetVringNum, wire::kQueues));
  EXPECT_FALSE(decode(encode(record), kSampleDescriptors));
}

TEST(Record, WithMoreOrFewerDescriptorsIsRefused) {
  for (const std::size_t descriptors : {0UL, 1UL, kSampleDescriptors - 1, kSampleDescriptors + 1}) {
    EXPECT_FALSE(decode(encode(sample()), descriptors)) << descriptors;
  }
}

TEST(Record, ThatIsCutAnywhereIsRefused) {
  const auto bytes = encode(sample());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode(std::span(bytes).first(length), kSampleDescriptors)) << length;
  }
}

TEST(Record, HasItsMessagesInTheOrderInWhichTheyAreRepeated) {
  EXPECT_LT(order_of({Request::kSetFeatures, bytes_of(std::uint64_t{0}), 0}),
            order_of({Request::kSetMemTable, {}, 0}));
  EXPECT_LT(order_of(about(Request::kSetVringBase, 1)), order_of(about(Request::kSetVringKick, 1)));
  EXPECT_LT(order_of(about(Request::kSetVringEnable, 1)),
            order_of(about(Request::kSetVringNum, 2)));
  // A flag is above the ring's number.
  EXPECT_EQ(order_of(about(Request::kSetVringKick, 0x101)),
            order_of(about(Request::kSetVringKick, 1)));
}

}  // namespace
}  // namespace vballoon::vhost
