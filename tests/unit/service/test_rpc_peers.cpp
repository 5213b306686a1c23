// SPDX-License-Identifier: BSD-3-Clause
//
// Who gets through to the RPC server: by the mode of its socket, and by the peer's credentials
// where somebody has changed the mode.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
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
constexpr const char* kGroup = "64100";

class RpcPeers : public testing::Test {
 protected:
  void SetUp() override {
    if (!support::is_root()) GTEST_SKIP() << "only root can try as others";
    ASSERT_EQ(::chmod(folder_.path("").c_str(), 0755), 0);
  }
  RpcSocket listen(const std::string& group) const {
    auto socket = RpcSocket::listen(path_, group);
    EXPECT_TRUE(socket) << (socket ? "" : socket.error().message);
    return std::move(*socket);
  }
  /// Whether check_peer() lets that user in, the socket's mode aside.
  bool may_call(const RpcSocket& socket, const User& user) const {
    EXPECT_EQ(::chmod(path_.c_str(), 0666), 0);
    EXPECT_EQ(support::refusal_of(user, path_), 0);
    const UniqueFd peer(::accept(socket.fd(), nullptr, nullptr));
    return check_peer(peer.get(), socket.group()).has_value();
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.path("rpc.sock");
};

TEST_F(RpcPeers, WithoutAGroupNobodyElseConnects) {
  const RpcSocket socket = listen("");
  EXPECT_EQ(support::refusal_of(kStranger, path_), EACCES);
  // Not even who is in the daemon's own group, as VMMs may be.
  EXPECT_EQ(support::refusal_of({64'004, ::getegid()}, path_), EACCES);
  EXPECT_FALSE(may_call(socket, kStranger));
}

TEST_F(RpcPeers, MembersOfTheGroupMayCall) {
  const RpcSocket socket = listen(kGroup);
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0660U);
  EXPECT_EQ(info.st_gid, 64'100U);
  EXPECT_EQ(support::refusal_of(kStranger, path_), EACCES);
  EXPECT_EQ(support::refusal_of(kMember, path_), 0);
  EXPECT_TRUE(check_peer(UniqueFd(::accept(socket.fd(), nullptr, nullptr)).get(), socket.group()));
  EXPECT_TRUE(may_call(socket, kMember));
  EXPECT_TRUE(may_call(socket, kPrimaryMember));
  EXPECT_FALSE(may_call(socket, kStranger));
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
