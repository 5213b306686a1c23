// SPDX-License-Identifier: BSD-3-Clause
//
// Who gets through to the RPC server: by the mode of its socket, and by the peer's credentials
// where somebody has changed the mode.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <future>
#include <optional>
#include <string_view>

#include "../support/other_user.hpp"
#include "base/group.hpp"
#include "rpc_peer.hpp"

namespace vballoon::service {
namespace {

using support::User;

const User kStranger;
const User kMember{64'002, 64'002, {7, 64'100}};
const User kPrimaryMember{64'003, 64'100};
const User kObserver{64'005, 64'005, {64'200}};
const User kBoth{64'006, 64'100, {64'200}};
constexpr const char* kGroup = "64100";
constexpr const char* kObservers = "64200";

class RpcPeers : public testing::Test {
 protected:
  void SetUp() override {
    if (!support::is_root()) GTEST_SKIP() << "only root can try as others";
    ASSERT_EQ(::chmod(folder_.path("").c_str(), 0755), 0);
  }
  RpcSocket listen(const RpcGroups<std::string>& groups) const {
    auto socket = RpcSocket::listen(path_, groups);
    EXPECT_TRUE(socket) << (socket ? "" : socket.error().message);
    return std::move(*socket);
  }
  /// What check_peer() says of a user whom the socket's mode let connect.
  static std::optional<Rights> checked(const RpcSocket& socket) {
    const UniqueFd peer(::accept(socket.fd(), nullptr, nullptr));
    const auto rights = check_peer(peer.get(), socket.groups());
    return rights ? std::optional(*rights) : std::nullopt;
  }
  /// What check_peer() lets that user do, the socket's mode aside.
  std::optional<Rights> rights_of(const RpcSocket& socket, const User& user) const {
    EXPECT_EQ(::chmod(path_.c_str(), 0666), 0);
    EXPECT_EQ(support::refusal_of(user, path_), 0);
    return checked(socket);
  }
  void expect_shared_with(gid_t group, mode_t mode) const {
    struct stat info {};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, mode);
    EXPECT_EQ(info.st_gid, group);
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.path("rpc.sock");
};

TEST_F(RpcPeers, WithoutAGroupNobodyElseConnects) {
  const RpcSocket socket = listen({});
  EXPECT_EQ(support::refusal_of(kStranger, path_), EACCES);
  // Not even who is in the daemon's own group, as VMMs may be.
  EXPECT_EQ(support::refusal_of({64'004, ::getegid()}, path_), EACCES);
  EXPECT_EQ(rights_of(socket, kStranger), std::nullopt);
}

TEST_F(RpcPeers, MembersOfTheGroupMayCall) {
  const RpcSocket socket = listen({kGroup, ""});
  expect_shared_with(64'100, 0660);
  EXPECT_EQ(support::refusal_of(kStranger, path_), EACCES);
  EXPECT_EQ(support::refusal_of(kMember, path_), 0);
  EXPECT_EQ(checked(socket), Rights::kChange);
  EXPECT_EQ(rights_of(socket, kMember), Rights::kChange);
  EXPECT_EQ(rights_of(socket, kPrimaryMember), Rights::kChange);
  EXPECT_EQ(rights_of(socket, kObserver), std::nullopt);
  EXPECT_EQ(rights_of(socket, kStranger), std::nullopt);
}

TEST_F(RpcPeers, ObserversMayAsk) {
  const RpcSocket socket = listen({"", kObservers});
  expect_shared_with(64'200, 0660);
  EXPECT_EQ(support::refusal_of(kMember, path_), EACCES);
  EXPECT_EQ(rights_of(socket, kObserver), Rights::kAsk);
  EXPECT_EQ(rights_of(socket, kMember), std::nullopt);
}

TEST_F(RpcPeers, WithTwoGroupsTheCredentialsDecide) {
  const RpcSocket socket = listen({kGroup, kObservers});
  expect_shared_with(64'100, 0666);
  EXPECT_EQ(rights_of(socket, kObserver), Rights::kAsk);
  EXPECT_EQ(rights_of(socket, kMember), Rights::kChange);
  EXPECT_EQ(rights_of(socket, kBoth), Rights::kChange);
  EXPECT_EQ(rights_of(socket, kStranger), std::nullopt);
}

/// The error code of the answer to a request; that of RawClient else.
int answer_to(const std::string& path, std::string_view method, std::string_view params = "{}") {
  RawClient client(path);
  client.send(fmt::format(R"({{"jsonrpc":"2.0","id":1,"method":"{}","params":{}}})"
                          "\n",
                          method, params));
  return code_of(client.line());
}

TEST_F(RpcPeers, ObserversChangeNothing) {
  const ServedFleet served({}, {kGroup, kObservers});
  const std::string path = served.path();
  ASSERT_EQ(::chmod(path.substr(0, path.rfind('/')).c_str(), 0755), 0);
  for (const char* method : {"device.set", "device.add", "device.remove", "device.configure",
                             "device.inhibit", "device.prefault", "device.reporting", "device.hint",
                             "device.move", "device.readmit", "policy.auto", "daemon.upgrade"}) {
    const auto refused = [&] { return answer_to(path, method) == rpc::kMayOnlyAsk ? 1 : 0; };
    EXPECT_EQ(support::as(kObserver, refused), 1) << method;
    EXPECT_EQ(support::as(kMember, refused), 0) << method;
  }
  for (const char* method :
       {"version", "device.list", "device.show", "device.stats", "lcore.list", "policy.show",
        "policy.explain", "daemon.restarts", "daemon.metrics", "no.such.method"}) {
    const auto refused = [&] { return answer_to(path, method) == rpc::kMayOnlyAsk ? 1 : 0; };
    EXPECT_EQ(support::as(kObserver, refused), 0) << method;
  }
  const auto waits = [&] { return answer_to(path, "events.wait", R"({"timeout_ms":0})"); };
  EXPECT_EQ(support::as(kObserver, waits), 0);
}

TEST_F(RpcPeers, ObserversLeaveRoomForOthers) {
  std::future<int> stayed;
  {
    ServedFleet served({.clients = 2, .observers = 1}, {kGroup, kObservers});
    const std::string path = served.path();
    ASSERT_EQ(::chmod(path.substr(0, path.rfind('/')).c_str(), 0755), 0);
    stayed = std::async(std::launch::async, [path] {
      return support::as(kObserver, [&path] {
        const int fd = support::connect_to(path);
        char byte = 0;
        return fd >= 0 && ::recv(fd, &byte, 1, 0) == 0 ? 0 : 1;  // until the server is gone
      });
    });
    ASSERT_TRUE(served.wait_for_clients(1));
    const auto told = [&] { return answer_to(path, "version") == rpc::kOverloaded ? 1 : 0; };
    EXPECT_EQ(support::as(kObserver, told), 1);
    EXPECT_EQ(support::as(kMember, told), 0);
  }
  EXPECT_EQ(stayed.get(), 0);
}

TEST_F(RpcPeers, AnObserverThatLeftMakesRoom) {
  ServedFleet served({.clients = 2, .observers = 1}, {kGroup, kObservers});
  const std::string path = served.path();
  ASSERT_EQ(::chmod(path.substr(0, path.rfind('/')).c_str(), 0755), 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(support::as(kObserver, [&] { return answer_to(path, "version"); }), 0);
    ASSERT_TRUE(served.wait_for_clients(0));
  }
}

TEST_F(RpcPeers, AStrangerIsToldSoAndDropped) {
  const ServedFleet served;
  const std::string path = served.path();
  ASSERT_EQ(::chmod(path.substr(0, path.rfind('/')).c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  const int told = support::as(kStranger, [&path] {
    const int fd = support::connect_to(path);
    const timeval patience{5, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    std::array<char, 512> line{};
    const ssize_t n = ::recv(fd, line.data(), line.size(), 0);
    const std::string_view text(line.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    const bool forbidden = text.find("-32005") != std::string_view::npos;
    return forbidden && ::recv(fd, line.data(), line.size(), 0) == 0 ? 0 : 1;
  });
  EXPECT_EQ(told, 0);
}

TEST(FindGroup, TakesNamesAndNumbers) {
  EXPECT_EQ(find_group("", "k").value(), std::nullopt);
  EXPECT_EQ(find_group("root", "k").value(), 0U);
  EXPECT_EQ(find_group("64100", "k").value(), 64'100U);
  for (const char* wrong : {"no-such-group", "-1", "4294967295", "99999999999", "64100x"}) {
    const auto found = find_group(wrong, "device.group");
    ASSERT_FALSE(found) << wrong;
    EXPECT_NE(found.error().message.find("device.group"), std::string::npos);
  }
}

}  // namespace
}  // namespace vballoon::service
