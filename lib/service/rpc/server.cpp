// SPDX-License-Identifier: BSD-3-Clause
#include "service/rpc/server.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "service/rpc/session.hpp"

namespace vballoon::service {
RpcServer::RpcServer(asio::io_context& loop, RpcSocket socket, Methods& methods, RpcLimits limits)
    : loop_(loop),
      socket_(std::move(socket)),
      acceptor_(loop, Protocol(), socket_.release()),
      retry_(loop),
      methods_(methods),
      limits_(limits) {
  spare_ = UniqueFd::duplicate(acceptor_.native_handle());
  accept();
}

RpcServer::~RpcServer() {
  stop();
}

void RpcServer::stop() {
  asio::error_code ignored;
  acceptor_.close(ignored);
  spare_.reset();
  retry_.cancel();
  while (!sessions_.empty()) {
    const auto session = *sessions_.begin();
    session->close();
  }
}

void RpcServer::accept() {
  acceptor_.async_wait(Protocol::acceptor::wait_read, [this](const asio::error_code& error) {
    if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
    accept_one();
  });
}

/// Where no descriptor is left, closes the spare one for one client: an operator who comes to see
/// what is wrong, or to remove a device, is served. The next client waits until that one is gone.
void RpcServer::accept_one() {
  if (!spare_.valid()) spare_ = UniqueFd::duplicate(acceptor_.native_handle());
  const auto one = [this] {
    return ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  };
  int fd = one();
  const bool short_of = fd < 0 && (errno == EMFILE || errno == ENFILE) && spare_.valid();
  if (short_of) {
    spare_.reset();
    fd = one();
  }
  if (fd >= 0) {
    admit(Protocol::socket(loop_, Protocol(), fd));
    return accept();
  }
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return accept();
  // The client stays in the backlog, so a wait for readiness would return at once.
  std::uint64_t dropped = 0;
  if (gate_.open(&dropped)) log::warn("rpc: no client can be accepted: {}", std::strerror(errno));
  retry_.expires_after(std::chrono::milliseconds(100));
  retry_.async_wait([this](const asio::error_code& cancelled) {
    if (!cancelled) accept();
  });
}

void RpcServer::admit(Protocol::socket peer) {
  const int fd = peer.native_handle();
  const auto rights = check_peer(fd, socket_.groups());
  if (rights) return admit(std::move(peer), *rights);
  std::uint64_t dropped = 0;
  if (gate_.open(&dropped)) log::warn("rpc: turned away: {}", rights.error().message);
  turn_away(fd, {rpc::kForbidden, rights.error().message});
}

void RpcServer::admit(Protocol::socket peer, Rights rights) {
  const int fd = peer.native_handle();
  if (sessions_.size() >= limits_.clients) {
    return turn_away(fd, {rpc::kOverloaded,
                          fmt::format("{} clients are connected already; end one and try again",
                                      limits_.clients)});
  }
  const bool observes = rights == Rights::kAsk;
  if (observes && observers_ >= limits_.observers) {
    return turn_away(fd, {rpc::kOverloaded,
                          fmt::format("{} clients of rpc_observers are connected already; end one "
                                      "and try again",
                                      limits_.observers)});
  }
  const auto session = std::make_shared<RpcSession>(*this, std::move(peer), rights);
  sessions_.insert(session);
  if (observes) ++observers_;
  session->start();
}

/// Sends the error; the caller's socket then closes. The buffer of a new connection has room for a
/// line.
void RpcServer::turn_away(int fd, const rpc::Error& error) {
  ++methods_.counters().rpc_turned_away;
  const std::string line = rpc::format_error(nullptr, error);
  (void)::send(fd, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void RpcServer::forget(const std::shared_ptr<RpcSession>& session) {
  if (sessions_.erase(session) != 0 && session->rights() == Rights::kAsk) --observers_;
}

}  // namespace vballoon::service
