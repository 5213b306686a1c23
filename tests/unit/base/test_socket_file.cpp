// SPDX-License-Identifier: BSD-3-Clause
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "base/socket_file.hpp"
#include "base/unique_fd.hpp"
#include "driver/temporary_folder.hpp"

namespace vballoon {
namespace {

class SocketFile : public testing::Test {
 protected:
  [[nodiscard]] UniqueFd bind() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof(address.sun_path) - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  [[nodiscard]] struct stat info() const {
    struct stat info {};
    EXPECT_EQ(::lstat(path().c_str(), &info), 0);
    return info;
  }
  [[nodiscard]] std::string path() const { return folder_.path("s"); }
  driver::TemporaryFolder folder_;
};

TEST_F(SocketFile, IsItsOwnersAloneUntilItIsShared) {
  const mode_t before = ::umask(0);
  {
    const MadePrivate until_shared;
    const UniqueFd fd = bind();
    EXPECT_EQ(info().st_mode & 07777, 0600U);
  }
  EXPECT_EQ(::umask(before), 0U) << "the umask is what it was";
  ASSERT_TRUE(share_socket(path(), std::nullopt));
  EXPECT_EQ(info().st_mode & 07777, 0660U);
  EXPECT_EQ(info().st_gid, ::getegid());
}

TEST_F(SocketFile, GoesToAGroup) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root, and which groups we are in is not known";
  const UniqueFd fd = bind();
  const auto shared = share_socket(path(), gid_t{64'100});
  ASSERT_TRUE(shared) << shared.error().message;
  EXPECT_EQ(info().st_gid, 64'100U);
  EXPECT_EQ(info().st_uid, ::geteuid());
}

TEST_F(SocketFile, NoOtherFileIsShared) {
  const std::string secret = folder_.path("secret");
  ASSERT_EQ(::close(::open(secret.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
  ASSERT_EQ(::symlink(secret.c_str(), path().c_str()), 0);
  EXPECT_FALSE(share_socket(path(), std::nullopt)) << "a link";
  EXPECT_FALSE(share_socket(secret, std::nullopt)) << "no socket";
  struct stat info {};
  ASSERT_EQ(::stat(secret.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  EXPECT_FALSE(share_socket(folder_.path("nothing"), std::nullopt));
}

TEST_F(SocketFile, GoesInTheEndUnlessItIsAnothers) {
  {
    const UniqueFd fd = bind();
    const vballoon::SocketFile file(path());
  }
  EXPECT_NE(::access(path().c_str(), F_OK), 0);
  {
    const UniqueFd fd = bind();
    const vballoon::SocketFile file(path());
    ASSERT_EQ(::rename(path().c_str(), folder_.path("ours").c_str()), 0);
    static_cast<void>(bind().release());  // who took the path over
  }
  EXPECT_EQ(::access(path().c_str(), F_OK), 0);
}

TEST_F(SocketFile, ItsFolderIsThereOrIsNamed) {
  EXPECT_TRUE(provide_socket_folder(path()));
  EXPECT_TRUE(provide_socket_folder("here"));
  EXPECT_TRUE(provide_socket_folder("/here"));
  const auto missing = provide_socket_folder(folder_.path("no/s"));
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find(folder_.path("no") + ": No such file"), std::string::npos)
      << missing.error().message;
  EXPECT_NE(::access(folder_.path("no").c_str(), F_OK), 0) << "it is not made";
  static_cast<void>(bind().release());
  const auto other = provide_socket_folder(path() + "/s");
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("Not a directory"), std::string::npos);
}

TEST(SocketPath, HasNoControlCharacters) {
  using namespace std::string_view_literals;
  EXPECT_TRUE(check_socket_path("./vm 1.sock"));
  EXPECT_TRUE(check_socket_path("/run/b\u00e4lle.sock"));
  EXPECT_TRUE(check_socket_path(std::string(107, 'x')));
  for (const std::string_view wrong :
       {""sv, "\0abstract"sv, "/run/a\0b"sv, "/run/a\n"sv, "\x1b[2J"sv, "/run/\x7f"sv,
        "/run/\xc2\x9b"sv, "/run/\xe2\x80\xae"sv, "/run/\xff"sv}) {
    EXPECT_FALSE(check_socket_path(wrong));
  }
  EXPECT_FALSE(check_socket_path(std::string(108, 'x')));
}

}  // namespace
}  // namespace vballoon
