// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "rpc/client.hpp"
#include "rpc_peer.hpp"

namespace vballoon::rpc {
namespace {

using service::ServedFleet;
using std::chrono::milliseconds;
constexpr milliseconds kPatience{5000};

TEST(RpcClient, CallsAndUnderstandsErrors) {
  ServedFleet served;
  served.fleet.guest("vm1");
  auto client = Client::connect(served.path());
  ASSERT_TRUE(client);
  const auto show = client->call("device.show", {{"name", "vm1"}}, kPatience);
  ASSERT_TRUE(show) << show.error().message;
  EXPECT_EQ(show->at("name"), "vm1");
  const auto unknown = client->call("device.show", {{"name", "x"}}, kPatience);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, kNotFound);
}

TEST(RpcClient, WithoutADaemonNamesTheWayOut) {
  const auto client = Client::connect("/nonexistent/rpc.sock");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, kUnreachable);
  EXPECT_EQ(client.error().message,
            "no vballoond answers at /nonexistent/rpc.sock; start it, or name its socket with "
            "--rpc");
}

TEST(RpcClient, RefusesAPathThatCannotBe) {
  EXPECT_FALSE(Client::connect(std::string(200, 'x')));
  EXPECT_FALSE(Client::connect(""));
}

TEST(RpcClient, GivesUpAfterItsTimeoutAndSkipsTheLateAnswer) {
  ServedFleet served;
  served.fleet.guest("vm1");
  served.fleet.answers_stats = false;
  auto client = Client::connect(served.path());
  ASSERT_TRUE(client);
  const Json params{{"name", "vm1"}, {"timeout_ms", 150u}};
  const auto stats = client->call("device.stats", params, milliseconds(30));
  ASSERT_FALSE(stats);
  EXPECT_EQ(stats.error().code, kNoAnswer);
  std::this_thread::sleep_for(milliseconds(300));
  const auto version = client->call("version", {}, kPatience);
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_TRUE(version->contains("version"));
}

TEST(RpcClient, EndsItsWaitWhenInterrupted) {
  ServedFleet served;
  served.fleet.guest("vm1");
  served.fleet.answers_stats = false;
  auto client = Client::connect(served.path());
  ASSERT_TRUE(client);
  const std::atomic<bool> interrupted{true};
  client->set_interrupt(&interrupted);
  const auto begin = Client::Clock::now();
  EXPECT_FALSE(client->call("device.stats", {{"name", "vm1"}, {"timeout_ms", 4000u}}, kPatience));
  EXPECT_LT(Client::Clock::now() - begin, milliseconds(2000));
}

TEST(RpcClient, NoticesThatTheDaemonIsGone) {
  auto served = std::make_unique<ServedFleet>();
  auto client = Client::connect(served->path());
  ASSERT_TRUE(client);
  ASSERT_TRUE(client->call("version", {}, kPatience));
  served.reset();
  const auto after = client->call("version", {}, kPatience);
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code, kUnreachable);
}

TEST(RpcClient, HearsWhyItWasTurnedAway) {
  service::RpcLimits limits;
  limits.clients = 0;
  ServedFleet served(limits);
  auto client = Client::connect(served.path());
  ASSERT_TRUE(client);
  std::this_thread::sleep_for(milliseconds(50));
  const auto version = client->call("version", {}, kPatience);
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().code, kOverloaded);
}

}  // namespace
}  // namespace vballoon::rpc
