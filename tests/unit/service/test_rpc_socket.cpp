// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "rpc/socket_path.hpp"
#include "rpc_peer.hpp"
#include "service/rpc/socket.hpp"

namespace vballoon::service {
namespace {

class RpcSocketTest : public testing::Test {
 protected:
  [[nodiscard]] static bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
  }
  TemporaryFolder folder_;
  std::string path_ = folder_.path("rpc.sock");
};

TEST_F(RpcSocketTest, IsForItsOwnerAloneAndRemovedInTheEnd) {
  {
    auto socket = RpcSocket::listen(path_, {});
    ASSERT_TRUE(socket) << socket.error().message;
    struct stat info {};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600U);
    const RpcSocket moved = std::move(*socket);
    EXPECT_TRUE(exists(path_));
  }
  EXPECT_FALSE(exists(path_));
}

TEST_F(RpcSocketTest, MakesNoFolderAndNamesTheOneThatIsMissing) {
  const auto socket = RpcSocket::listen(folder_.path("sub/rpc.sock"), {});
  ASSERT_FALSE(socket);
  EXPECT_NE(socket.error().message.find(folder_.path("sub") + ": No such file"), std::string::npos)
      << socket.error().message;
  EXPECT_FALSE(exists(folder_.path("sub")));
}

TEST_F(RpcSocketTest, ReplacesAStaleFile) {
  {
    auto socket = RpcSocket::listen(path_, {});
    ASSERT_TRUE(socket);
    // What a killed daemon leaves: the file, and nobody behind it.
    ASSERT_EQ(::rename(path_.c_str(), folder_.path("old").c_str()), 0);
  }
  ASSERT_EQ(::rename(folder_.path("old").c_str(), path_.c_str()), 0);
  const auto again = RpcSocket::listen(path_, {});
  EXPECT_TRUE(again) << again.error().message;
}

TEST_F(RpcSocketTest, LeavesALiveOneAloneAndSaysSo) {
  const auto first = RpcSocket::listen(path_, {});
  ASSERT_TRUE(first);
  const auto second = RpcSocket::listen(path_, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kAlreadyExists);
  EXPECT_NE(second.error().message.find("somebody listens there already"), std::string::npos);
  EXPECT_TRUE(exists(path_));
}

TEST_F(RpcSocketTest, LeavesAnythingElseAlone) {
  std::ofstream(path_) << "precious";
  const auto socket = RpcSocket::listen(path_, {});
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code, Code::kAlreadyExists);
  EXPECT_TRUE(exists(path_));
}

TEST_F(RpcSocketTest, DoesNotRemoveItsSuccessorsFile) {
  auto first = std::make_unique<Result<RpcSocket>>(RpcSocket::listen(path_, {}));
  ASSERT_TRUE(*first);
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  // So that the file system does not hand out the same inode again.
  std::ofstream(folder_.path("in-between")) << "x";
  const auto second = RpcSocket::listen(path_, {});
  ASSERT_TRUE(second);
  first.reset();
  EXPECT_TRUE(exists(path_));
}

TEST_F(RpcSocketTest, RefusesPathsAndGroupsThatCannotBe) {
  EXPECT_EQ(RpcSocket::listen("", {}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(RpcSocket::listen(std::string(1, '\0') + "abstract", {}).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(RpcSocket::listen("/tmp/" + std::string(200, 'x'), {}).error().code,
            Code::kInvalidArgument);
  const auto group = RpcSocket::listen(path_, {"no-such-group", ""});
  ASSERT_FALSE(group);
  EXPECT_NE(group.error().message.find("no-such-group"), std::string::npos);
}

TEST_F(RpcSocketTest, LetsItsOwnUserCall) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const UniqueFd a(ends[0]);
  const UniqueFd b(ends[1]);
  EXPECT_EQ(check_peer(a.get(), {}).value(), Rights::kChange);
}

TEST(SocketPath, FollowsTheEnvironment) {
  ::setenv("VBALLOON_RPC", "/x/y.sock", 1);
  EXPECT_EQ(rpc::default_socket_path(), "/x/y.sock");
  EXPECT_EQ(rpc::default_client_path(), "/x/y.sock");
  ::unsetenv("VBALLOON_RPC");
  if (::geteuid() == 0) {
    EXPECT_EQ(rpc::default_socket_path(), "/run/vballoon/rpc.sock");
    return;
  }
  ::setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
  EXPECT_EQ(rpc::default_socket_path(), "/run/user/7/vballoon/rpc.sock");
  ::unsetenv("XDG_RUNTIME_DIR");
  EXPECT_EQ(rpc::default_socket_path(),
            "/tmp/vballoon-" + std::to_string(::geteuid()) + "/rpc.sock");
}

}  // namespace
}  // namespace vballoon::service
