// SPDX-License-Identifier: BSD-3-Clause
//
// What one client can cost: memory, a slot, a turn. Never more, and never another client's answer.
#include <gtest/gtest.h>

#include <list>

#include "rpc/message.hpp"
#include "rpc_peer.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;

std::string request(const char* method, Json params = Json::object()) {
  return rpc::format_request({1, false, method, std::move(params)});
}

bool is_served(const std::string& path) {
  RawClient client(path);
  return client.send(request("version")) && code_of(client.line()) == 0;
}

TEST(RpcLimits, EndAConnectionWhoseLineIsTooLong) {
  ServedFleet served;
  RawClient client(served.path());
  // The server may hang up before all of it is sent.
  (void)client.send(std::string(rpc::kMaxRequestBytes + 100'000, 'x'));
  EXPECT_EQ(code_of(client.line()), rpc::kInvalidRequest);
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(is_served(served.path()));
}

TEST(RpcLimits, TakeALineOfExactlyTheLimit) {
  ServedFleet served;
  RawClient client(served.path());
  std::string line = request("version");
  line.insert(line.size() - 1, std::string(rpc::kMaxRequestBytes + 1 - line.size(), ' '));
  ASSERT_TRUE(client.send(line));
  EXPECT_EQ(code_of(client.line()), 0);
}

TEST(RpcLimits, DropAClientThatNeverReads) {
  RpcLimits limits;
  limits.output_bytes = 64 * 1024;
  ServedFleet served(limits);
  for (int i = 0; i < 100; ++i) served.fleet.guest("vm" + std::to_string(i));
  RawClient client(served.path());
  bool alive = true;
  // Each answer has some 40 KiB; the kernel's buffer takes a few, the limit two more.
  for (int i = 0; alive && i < 1000; ++i) alive = client.send(request("device.list"));
  EXPECT_FALSE(alive);
  EXPECT_TRUE(served.wait_for_clients(0));
  EXPECT_TRUE(is_served(served.path()));
}

/// A thousand VMs have more to tell than a client may leave unread.
TEST(RpcLimits, OneReplyMayBeAsLongAsItIs) {
  RpcLimits limits;
  limits.output_bytes = 4 * 1024;
  ServedFleet served(limits);
  for (int i = 0; i < 2000; ++i) served.fleet.guest("vm" + std::to_string(i));
  RawClient client(served.path());
  ASSERT_TRUE(client.send(request("device.list")));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto line = client.line();
  EXPECT_EQ(code_of(line), 0);
  EXPECT_GT(line.value_or("").size(), 500'000U);
}

TEST(RpcLimits, WhoLeavesWhileItWaitsMakesRoom) {
  ServedFleet served;
  {
    RawClient client(served.path());
    for (int i = 0; i < 32; ++i) {
      ASSERT_TRUE(client.send(R"({"jsonrpc":"2.0","id":1,"method":"events.wait","params":)"
                              R"({"timeout_ms":60000}})"
                              "\n"));
    }
    ASSERT_TRUE(client.send(request("version")));
    EXPECT_EQ(code_of(client.line()), rpc::kOverloaded) << "32 wait";
  }
  EXPECT_TRUE(served.wait_for_clients(0));
  EXPECT_TRUE(served.on_loop([&] { return served.waiting() == 0; }));
}

TEST(RpcLimits, WhoEndsItsRequestsStillGetsItsAnswers) {
  ServedFleet served;
  RawClient client(served.path());
  ASSERT_TRUE(client.send(R"({"jsonrpc":"2.0","id":1,"method":"events.wait","params":)"
                          R"({"timeout_ms":200}})"
                          "\n"));
  client.end_output();
  EXPECT_EQ(code_of(client.line()), 0);
  EXPECT_TRUE(client.closed());
}

TEST(RpcLimits, DoNotDropAClientThatReadsSlowly) {
  RpcLimits limits;
  limits.output_bytes = 4 << 20;
  ServedFleet served(limits);
  for (int i = 0; i < 100; ++i) served.fleet.guest("vm" + std::to_string(i));
  RawClient client(served.path());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(client.send(request("device.list")));
  for (int i = 0; i < 40; ++i) EXPECT_EQ(code_of(client.line()), 0);
}

TEST(RpcLimits, TurnAwayOneClientTooMany) {
  RpcLimits limits;
  limits.clients = 3;
  ServedFleet served(limits);
  std::list<RawClient> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(served.path());
  ASSERT_TRUE(served.wait_for_clients(3));
  RawClient extra(served.path());
  EXPECT_EQ(code_of(extra.line()), rpc::kOverloaded);
  EXPECT_TRUE(extra.closed());

  clients.pop_front();
  ASSERT_TRUE(served.wait_for_clients(2));
  EXPECT_TRUE(is_served(served.path())) << "a slot is free again";
}

TEST(RpcLimits, BoundTheRequestsThatWait) {
  RpcLimits limits;
  limits.waiting = 2;
  ServedFleet served(limits);
  served.fleet.guest("vm1");
  served.fleet.answers_stats = false;
  RawClient client(served.path());
  const std::string slow = request("device.stats", {{"name", "vm1"}, {"timeout_ms", 300u}});
  ASSERT_TRUE(client.send(slow + slow + slow));
  EXPECT_EQ(code_of(client.line()), rpc::kOverloaded);
  EXPECT_EQ(code_of(client.line()), rpc::kUnavailable);
  EXPECT_EQ(code_of(client.line()), rpc::kUnavailable);
  ASSERT_TRUE(client.send(request("version")));
  EXPECT_EQ(code_of(client.line()), 0);
}

}  // namespace
}  // namespace vballoon::service
