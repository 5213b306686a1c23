// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/server.hpp - serve JSON-RPC to any number of clients, none of which can hurt.
// Thread: the event loop's. Every descriptor is non-blocking; nothing in here waits.
#pragma once

#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <cstddef>
#include <memory>
#include <set>

#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "rpc/line_buffer.hpp"
#include "service/rpc/methods.hpp"
#include "service/rpc/socket.hpp"

namespace vballoon::service {

class RpcSession;

/// What one client, or all of them, may cost.
struct RpcLimits {
  std::size_t clients = 64;
  std::size_t request_bytes = rpc::kMaxRequestBytes;
  std::size_t output_bytes = std::size_t{4} << 20;  ///< unread replies; then the client is dropped
  std::size_t waiting = 32;  ///< requests of one client without an answer yet
};

class RpcServer {
 public:
  /// Accepts from now on, while the loop runs.
  RpcServer(asio::io_context& loop, RpcSocket socket, Methods& methods, RpcLimits limits = {});
  ~RpcServer();
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  /// Hangs up on everybody and listens no more. The socket's file goes with this object.
  void stop();

  [[nodiscard]] std::size_t clients() const noexcept { return sessions_.size(); }

 private:
  friend class RpcSession;
  using Protocol = asio::local::stream_protocol;

  void accept();
  void accept_one();
  void admit(Protocol::socket peer);
  void forget(const std::shared_ptr<RpcSession>& session) { sessions_.erase(session); }

  asio::io_context& loop_;
  RpcSocket socket_;
  Protocol::acceptor acceptor_;
  asio::steady_timer retry_;
  UniqueFd spare_;  // for one client when there is no descriptor left
  Methods& methods_;
  const RpcLimits limits_;
  std::set<std::shared_ptr<RpcSession>> sessions_;
  LogGate gate_;
};

}  // namespace vballoon::service
