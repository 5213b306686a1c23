// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/server.hpp - serves JSON-RPC; what a client may cost is bounded.
// Thread: the control thread. Every descriptor is non-blocking; no function here waits.
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

/// What one client, or all clients, may cost.
struct RpcLimits {
  std::size_t clients = 64;
  std::size_t observers = 32;  ///< of these: who may change something finds room
  std::size_t request_bytes = rpc::kMaxRequestBytes;
  std::size_t output_bytes = std::size_t{4} << 20;  ///< a client with more unread gets no more
  std::size_t waiting = 32;  ///< requests of one client without an answer yet
};

class RpcServer {
 public:
  /// Accepts clients from now on, while the loop runs.
  RpcServer(asio::io_context& loop, RpcSocket socket, Methods& methods, RpcLimits limits = {});
  ~RpcServer();
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  /// Closes all connections and stops listening. The destructor removes the socket's file.
  void stop();

  [[nodiscard]] std::size_t clients() const noexcept { return sessions_.size(); }

 private:
  friend class RpcSession;
  using Protocol = asio::local::stream_protocol;

  void accept();
  void accept_one();
  void admit(Protocol::socket peer);
  void admit(Protocol::socket peer, Rights rights);
  void turn_away(int fd, const rpc::Error& error);
  void forget(const std::shared_ptr<RpcSession>& session);

  asio::io_context& loop_;
  RpcSocket socket_;
  Protocol::acceptor acceptor_;
  asio::steady_timer retry_;
  UniqueFd spare_;  // closed to accept one client when no descriptor is left
  Methods& methods_;
  const RpcLimits limits_;
  std::set<std::shared_ptr<RpcSession>> sessions_;
  std::size_t observers_ = 0;  // of these
  LogGate gate_;
};

}  // namespace vballoon::service
