// SPDX-License-Identifier: BSD-3-Clause
//
// What connect(2) of the daemon's does to sockets: librte_vhost's are to tell who sends, others are
// as they were.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/unique_fd.hpp"
#include "driver/temporary_folder.hpp"
#include "vhost/libc_calls.hpp"

namespace vballoon::vhost {
namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

int connect_to(const UniqueFd& fd, const std::string& path) {
  const sockaddr_un address = address_of(path);
  const int done =
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return done == 0 ? 0 : errno;
}

int bind_to(const UniqueFd& fd, const std::string& path) {
  const sockaddr_un address = address_of(path);
  const int done = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return done == 0 ? 0 : errno;
}

bool tells_sender(const UniqueFd& fd) {
  int on = 0;
  socklen_t length = sizeof(on);
  EXPECT_EQ(::getsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, &length), 0);
  return on != 0;
}

/// As create_socket() of DPDK's telemetry does it, where a daemon was killed and left the file.
TEST(Connect, ASocketThatFoundNobodyCanBeBound) {
  const driver::TemporaryFolder folder;
  const std::string path = folder.path("telemetry");
  {
    const UniqueFd killed(::socket(AF_UNIX, SOCK_SEQPACKET, 0));
    ASSERT_EQ(bind_to(killed, path), 0);
  }
  const UniqueFd next(::socket(AF_UNIX, SOCK_SEQPACKET, 0));
  EXPECT_EQ(bind_to(next, path), EADDRINUSE);
  EXPECT_EQ(connect_to(next, path), ECONNREFUSED);
  ASSERT_EQ(::unlink(path.c_str()), 0);
  EXPECT_EQ(bind_to(next, path), 0);
}

/// librte_vhost's, in client mode.
TEST(Connect, ASocketThatDoesNotBlockTellsWhoSends) {
  const driver::TemporaryFolder folder;
  const std::string path = folder.path("vmm");
  const UniqueFd vmm(::socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(bind_to(vmm, path), 0);
  ASSERT_EQ(::listen(vmm.get(), 1), 0);
  const UniqueFd ours(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  EXPECT_EQ(connect_to(ours, path), 0);
  EXPECT_TRUE(tells_sender(ours));
  EXPECT_EQ(last_connected(), ours.get());
}

}  // namespace
}  // namespace vballoon::vhost
