// SPDX-License-Identifier: BSD-3-Clause
//
// The server over a real socket: what a client sends is served, or refused, and never more.
#include <gtest/gtest.h>

#include <algorithm>

#include "rpc/message.hpp"
#include "rpc_peer.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;

std::string request(int id, const char* method, Json params = Json::object()) {
  return rpc::format_request({id, false, method, std::move(params)});
}

TEST(RpcServer, AnswersARequest) {
  ServedFleet served;
  served.fleet.guest("vm1");
  RawClient client(served.path());
  ASSERT_TRUE(client.send(request(5, "device.show", {{"name", "vm1"}})));
  const auto line = client.line();
  ASSERT_TRUE(line);
  const auto reply = rpc::parse_reply(*line);
  ASSERT_TRUE(reply && reply->outcome);
  EXPECT_EQ(reply->id, 5);
  EXPECT_EQ(reply->outcome->at("name"), "vm1");
}

TEST(RpcServer, RefusesWhatIsNoJsonAndGoesOn) {
  ServedFleet served;
  RawClient client(served.path());
  ASSERT_TRUE(client.send("hello\n\n" + request(1, "version")));
  EXPECT_EQ(code_of(client.line()), rpc::kParseError);
  EXPECT_EQ(code_of(client.line()), 0);
}

TEST(RpcServer, CountsRequestsAndThoseItRefuses) {
  ServedFleet served({.clients = 1});
  RawClient client(served.path());
  ASSERT_TRUE(client.send("hello\n" + request(1, "version") + request(2, "device.explode")));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client.line());
  EXPECT_EQ(code_of(RawClient(served.path()).line()), rpc::kOverloaded);
  ASSERT_TRUE(client.send(request(3, "daemon.metrics")));
  const auto reply = rpc::parse_reply(client.line().value_or(""));
  ASSERT_TRUE(reply && reply->outcome);
  const auto text = reply->outcome->at("text").get<std::string>();
  for (const char* line : {"vballoon_rpc_requests_total 4\n", "vballoon_rpc_errors_total 2\n",
                           "vballoon_rpc_turned_away_total 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
}

TEST(RpcServer, RefusesUnknownMethodsAndWrongParameters) {
  ServedFleet served;
  RawClient client(served.path());
  ASSERT_TRUE(client.send(request(1, "device.explode")));
  EXPECT_EQ(code_of(client.line()), rpc::kMethodNotFound);
  ASSERT_TRUE(client.send(request(2, "device.show", {{"nam", "x"}})));
  EXPECT_EQ(code_of(client.line()), rpc::kInvalidParams);
}

TEST(RpcServer, AnswersTwoRequestsOfOneWriteInOrder) {
  ServedFleet served;
  RawClient client(served.path());
  ASSERT_TRUE(client.send(request(1, "version") + request(2, "device.list")));
  EXPECT_EQ(rpc::parse_reply(client.line().value_or(""))->id, 1);
  EXPECT_EQ(rpc::parse_reply(client.line().value_or(""))->id, 2);
}

TEST(RpcServer, SendsTheRepliesToRequestsOfOneWriteAtOnce) {
  ServedFleet served;
  RawClient client(served.path());
  std::string requests;
  for (int id = 0; id < 8; ++id) requests += request(id, "version");
  ASSERT_LT(requests.size(), 512U) << "the server reads so much at once";
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(client.send(requests + "\r\n"));
    ASSERT_EQ(std::ranges::count(client.chunk(), '\n'), 8) << round;
  }
}

TEST(RpcServer, SendsWhatWaitsForTheEndOfALineThatDoesNotCome) {
  ServedFleet served;
  RawClient client(served.path());
  ASSERT_TRUE(client.send(request(1, "version") + request(2, "version") + R"({"jsonrpc":"2.0",)"));
  EXPECT_EQ(code_of(client.line()), 0);
  EXPECT_EQ(code_of(client.line()), 0);
}

TEST(RpcServer, AnswersARequestThatDripsIn) {
  ServedFleet served;
  RawClient client(served.path());
  for (const char c : request(1, "version")) ASSERT_TRUE(client.send({&c, 1}));
  EXPECT_EQ(code_of(client.line()), 0);
}

TEST(RpcServer, ForgetsHalfALineOfAClientThatLeaves) {
  ServedFleet served;
  {
    RawClient client(served.path());
    ASSERT_TRUE(client.send(R"({"jsonrpc":"2.0","id":1,"meth)"));
    ASSERT_TRUE(served.wait_for_clients(1));
  }
  EXPECT_TRUE(served.wait_for_clients(0));
}

TEST(RpcServer, AnswersAClientThatOnlySaidEverything) {
  ServedFleet served;
  served.fleet.guest("vm1");
  served.fleet.answers_stats = false;
  RawClient client(served.path());
  ASSERT_TRUE(client.send(request(1, "version") +
                          request(2, "device.stats", {{"name", "vm1"}, {"timeout_ms", 50u}})));
  client.end_output();
  EXPECT_EQ(code_of(client.line()), 0);
  EXPECT_EQ(code_of(client.line()), rpc::kUnavailable) << "an answer that takes its time";
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(served.wait_for_clients(0));
}

TEST(RpcServer, DoesNotAnswerNotifications) {
  ServedFleet served;
  served.fleet.guest("vm1");
  RawClient client(served.path());
  ASSERT_TRUE(client.send(rpc::format_request(
      {nullptr, true, "device.set", Json{{"name", "vm1"}, {"target_bytes", 4096u}}})));
  ASSERT_TRUE(client.send(request(2, "device.show", {{"name", "vm1"}})));
  const auto reply = rpc::parse_reply(client.line().value_or(""));
  ASSERT_TRUE(reply && reply->outcome);
  EXPECT_EQ(reply->id, 2);
  EXPECT_EQ(reply->outcome->at("target_bytes"), 4096);
}

TEST(RpcServer, ServesOthersWhileOneWaitsForItsGuest) {
  ServedFleet served;
  served.fleet.guest("vm1");
  served.fleet.answers_stats = false;
  RawClient waiting(served.path());
  RawClient other(served.path());
  ASSERT_TRUE(waiting.send(request(1, "device.stats", {{"name", "vm1"}, {"timeout_ms", 5000u}})));
  ASSERT_TRUE(other.send(request(1, "version")));
  EXPECT_EQ(code_of(other.line()), 0);
  served.on_loop([&] { served.fleet.answer_stats("vm1", 12); });
  const auto reply = rpc::parse_reply(waiting.line().value_or(""));
  ASSERT_TRUE(reply && reply->outcome);
  EXPECT_EQ(reply->outcome->at("fresh"), true);
}

TEST(RpcServer, ServesOthersBetweenTheRequestsOfOneThatAsksForMuch) {
  ServedFleet served;
  for (int i = 0; i < 300; ++i) served.fleet.guest("vm" + std::to_string(i));
  std::string much;
  for (int id = 0; id < 4; ++id) much += request(id, "device.list");
  much += request(4, "device.set", {{"name", "vm1"}, {"target_bytes", 4096u}});
  ASSERT_LT(much.size(), 512U) << "the server reads so much at once";
  RawClient greedy(served.path());
  RawClient other(served.path());
  ASSERT_TRUE(served.wait_for_clients(2));
  served.on_loop([&] {
    EXPECT_TRUE(greedy.send(much));
    EXPECT_TRUE(other.send(request(1, "device.show", {{"name", "vm1"}})));
  });
  const auto reply = rpc::parse_reply(other.line().value_or(""));
  ASSERT_TRUE(reply && reply->outcome);
  EXPECT_EQ(reply->outcome->at("target_bytes"), 0) << "all of the other's came first";
}

TEST(RpcServer, SurvivesAClientThatLeavesBeforeItsAnswer) {
  ServedFleet served;
  served.fleet.guest("vm1");
  served.fleet.answers_stats = false;
  {
    RawClient client(served.path());
    ASSERT_TRUE(client.send(request(1, "device.stats", {{"name", "vm1"}, {"timeout_ms", 50u}})));
    ASSERT_TRUE(served.wait_for_clients(1));
  }
  EXPECT_TRUE(served.wait_for_clients(0));
  RawClient next(served.path());
  ASSERT_TRUE(next.send(request(1, "version")));
  EXPECT_EQ(code_of(next.line()), 0);
}

}  // namespace
}  // namespace vballoon::service
