// SPDX-License-Identifier: BSD-3-Clause
//
// The front end's half of vhost-user against a backend that answers by a script.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <optional>

#include "driver/vhost_user.hpp"
#include "fake_backend.hpp"

namespace vballoon::driver {
namespace {

using std::chrono::milliseconds;
using wire::Request;

struct Connection {
  explicit Connection(Script script, milliseconds timeout = milliseconds(2000)) {
    auto ends = MessageSocket::pair().value();
    backend.emplace(std::move(ends.second), std::move(script));
    front_end.emplace(std::move(ends.first), timeout);
  }
  ~Connection() {
    front_end.reset();  // the backend's thread ends when its peer is gone
    backend.reset();
  }
  std::optional<FakeBackend> backend;
  std::optional<FrontEnd> front_end;
};

bool is(const Message& message, Request request) {
  return message.header.request == static_cast<std::uint32_t>(request);
}

TEST(FrontEnd, AsksAndDecodes) {
  Connection c([](const Message& m) -> Answer {
    if (is(m, Request::kGetFeatures)) return to_bytes(std::uint64_t{0x123456789A});
    return std::nullopt;
  });
  EXPECT_EQ(c.front_end->get_features().value(), 0x123456789AU);
}

TEST(FrontEnd, WaitsForAcknowledgementsOnceNegotiated) {
  bool wanted_one_too_early = false;
  bool wanted_one = false;
  Connection c([&](const Message& m) -> Answer {
    const bool wants = (m.header.flags & wire::kFlagNeedReply) != 0;
    if (is(m, Request::kSetOwner)) wanted_one_too_early = wants;
    if (is(m, Request::kSetFeatures)) wanted_one = wants;
    if (is(m, Request::kGetQueueNum)) return to_bytes(std::uint64_t{5});
    return std::nullopt;
  });
  ASSERT_TRUE(c.front_end->set_owner());
  ASSERT_TRUE(c.front_end->set_protocol_features(wire::protocol::kReplyAck));
  ASSERT_TRUE(c.front_end->set_features(1));
  EXPECT_EQ(c.front_end->get_queue_num().value(), 5U);
  EXPECT_FALSE(wanted_one_too_early);
  EXPECT_TRUE(wanted_one);
}

TEST(FrontEnd, TellsWhichMessageWasRefused) {
  Connection c([](const Message& m) -> Answer {
    if (is(m, Request::kSetVringNum)) return to_bytes(std::uint64_t{1});
    return std::nullopt;
  });
  ASSERT_TRUE(c.front_end->set_protocol_features(wire::protocol::kReplyAck));
  const auto refused = c.front_end->set_vring_num(0, 3);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("message 8"), std::string::npos);
}

TEST(FrontEnd, GivesUpOnASilentBackend) {
  Connection c([](const Message&) -> Answer { return std::nullopt; }, milliseconds(50));
  const auto answer = c.front_end->get_features();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
}

TEST(FrontEnd, SendsTheMemoryTableWithItsDescriptors) {
  const auto ram = GuestRam::create(ram_with_hole(4 * kMiB, kMiB, kMiB)).value();
  std::size_t fds = 0;
  std::size_t bytes = 0;
  Connection c([&](const Message& m) -> Answer {
    if (is(m, Request::kSetMemTable)) {
      fds = m.fds.size();
      bytes = m.payload.size();
    }
    return std::nullopt;
  });
  ASSERT_TRUE(c.front_end->set_protocol_features(wire::protocol::kReplyAck));
  ASSERT_TRUE(c.front_end->set_mem_table(ram));
  EXPECT_EQ(fds, 2U);
  EXPECT_EQ(bytes, sizeof(wire::MemoryHeader) + 2 * sizeof(wire::MemoryRegion));
}

TEST(FrontEnd, ReadsConfigurationAndSeesARefusal) {
  Connection c([](const Message& m) -> Answer {
    if (!is(m, Request::kGetConfig)) return std::nullopt;
    wire::ConfigHeader head;
    std::memcpy(&head, m.payload.data(), sizeof(head));
    if (head.offset + head.size > 16) return std::vector<std::byte>{};
    auto answer = m.payload;
    answer[sizeof(head)] = std::byte{0x2A};
    return answer;
  });
  const auto bytes = c.front_end->get_config(4, 4);
  ASSERT_TRUE(bytes);
  ASSERT_EQ(bytes->size(), 4U);
  EXPECT_EQ(bytes->front(), std::byte{0x2A});
  EXPECT_EQ(c.front_end->get_config(14, 4).error().code, Code::kInvalidArgument);
}

TEST(FrontEnd, CountsConfigurationChangesAndAnswersThem) {
  std::optional<MessageSocket> channel;
  Connection c([&](const Message& m) -> Answer {
    if (is(m, Request::kSetBackendReqFd)) {
      channel.emplace(UniqueFd::duplicate(m.fds.at(0).get()));
    }
    return std::nullopt;
  });
  ASSERT_TRUE(c.front_end->set_protocol_features(wire::protocol::kReplyAck));
  ASSERT_TRUE(c.front_end->set_backend_req_fd());
  ASSERT_TRUE(channel);
  EXPECT_EQ(c.front_end->config_changes(Deadline(milliseconds(0))).value(), 0U);
  const auto kind = static_cast<std::uint32_t>(wire::BackendRequest::kConfigChange);
  const Deadline soon(milliseconds(500));
  ASSERT_TRUE(channel->send({kind, wire::kVersion, 0}, {}, {}, soon));
  ASSERT_TRUE(channel->send({kind, wire::kVersion | wire::kFlagNeedReply, 0}, {}, {}, soon));
  EXPECT_EQ(c.front_end->config_changes(Deadline(milliseconds(100))).value(), 2U);
  EXPECT_EQ(channel->receive(soon).value().payload, to_bytes(std::uint64_t{0}));
}

TEST(MessageSocket, ListensForABackendThatConnects) {
  const auto path =
      std::filesystem::temp_directory_path() / ("vballoon-listen-" + std::to_string(::getpid()));
  auto listener = Listener::bind(path.string()).value();
  EXPECT_EQ(Listener::bind(path.string()).error().code, Code::kAlreadyExists);
  EXPECT_FALSE(listener.accept(Deadline(milliseconds(10))));
  auto there = MessageSocket::connect(path.string(), Deadline(milliseconds(500))).value();
  auto here = listener.accept(Deadline(milliseconds(500))).value();
  ASSERT_TRUE(there.send({7, wire::kVersion, 0}, {}, {}, Deadline(milliseconds(500))));
  EXPECT_EQ(here.receive(Deadline(milliseconds(500))).value().header.request, 7U);
}

TEST(MessageSocket, NamesASocketOnWhichNobodyListens) {
  const auto none = MessageSocket::connect("/nonexistent/socket", Deadline(milliseconds(10)));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kUnavailable);
  EXPECT_NE(none.error().message.find("/nonexistent/socket"), std::string::npos);
}

}  // namespace
}  // namespace vballoon::driver
