// SPDX-License-Identifier: BSD-3-Clause
#include "rpc_peer.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>

namespace vballoon::service {

ServedFleet::ServedFleet(RpcLimits limits, const RpcGroups<std::string>& groups)
    : work_(loop_.get_executor()),
      autopilot_(host_.open(loop_, fleet)),
      settings_(fleet, *autopilot_),
      methods_(loop_, fleet, *autopilot_, settings_, rpc::Json{{"version", "test"}}) {
  auto socket = RpcSocket::listen(path(), groups);
  EXPECT_TRUE(socket) << (socket ? "" : socket.error().message);
  server_ = std::make_unique<RpcServer>(loop_, std::move(*socket), methods_, limits);
  thread_ = std::thread([this] { loop_.run(); });
}

ServedFleet::~ServedFleet() {
  on_loop([this] {
    server_->stop();
    methods_.stop();
  });
  work_.reset();
  thread_.join();
}

int code_of(const std::optional<std::string>& line) {
  if (!line) return 1;
  const auto reply = rpc::parse_reply(*line);
  if (!reply) return 2;
  return reply->outcome ? 0 : reply->outcome.error().code;
}

bool ServedFleet::wait_for_clients(std::size_t n) {
  for (int i = 0; i < 500; ++i) {
    if (on_loop([this] { return server_->clients(); }) == n) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

RawClient::RawClient(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::optional<std::string> RawClient::line() {
  for (;;) {
    if (const std::size_t end = pending_.find('\n'); end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    const std::string more = chunk();
    if (more.empty()) return std::nullopt;
    pending_ += more;
  }
}

std::string RawClient::chunk() {
  std::array<char, 4096> bytes;
  pollfd wanted{fd_.get(), POLLIN, 0};
  if (::poll(&wanted, 1, 5000) <= 0) return {};
  const ssize_t n = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
  return n <= 0 ? std::string() : std::string(bytes.data(), static_cast<std::size_t>(n));
}

bool RawClient::closed() {
  pollfd wanted{fd_.get(), POLLIN, 0};
  if (::poll(&wanted, 1, 5000) <= 0) return false;
  char byte = 0;
  return ::recv(fd_.get(), &byte, 1, 0) <= 0;
}

void RawClient::end_output() {
  ::shutdown(fd_.get(), SHUT_WR);
}

}  // namespace vballoon::service
