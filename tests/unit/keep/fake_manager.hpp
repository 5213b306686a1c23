// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/keep/fake_manager.hpp - a service manager that reads only what a test asks for.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdlib>
#include <string>

#include "driver/temporary_folder.hpp"
#include "keep/notifier.hpp"
#include "keep/packet.hpp"

namespace vballoon::keep {

class FakeManager {
 public:
  /// @param name  of its socket's file.
  explicit FakeManager(const std::string& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder_.path(name);
    path.copy(address.sun_path, path.size());
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }

  /// What it was told, and with which descriptors; empty: nothing.
  std::string received(Packet* packet) {
    std::array<char, 256> text{};
    iovec part{text.data(), text.size()};
    if (receive_packet(socket_.get(), {&part, 1}, 0, packet) != 0) return {};
    return {text.data(), packet->bytes};
  }

 private:
  driver::TemporaryFolder folder_;
  UniqueFd socket_;
};

}  // namespace vballoon::keep
