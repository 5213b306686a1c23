// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/session.hpp - one connected client.
// Thread: the event loop's. Waits for readiness and holds no buffer meanwhile, so an idle client
//         costs two descriptors' worth of kernel memory and this object.
#pragma once

#include <asio/local/stream_protocol.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "rpc/line_buffer.hpp"
#include "service/rpc/server.hpp"

namespace vballoon::service {

class RpcSession : public std::enable_shared_from_this<RpcSession> {
 public:
  RpcSession(RpcServer& server, asio::local::stream_protocol::socket peer);

  void start() { wait_readable(); }
  /// Drops the client; answers that still come are thrown away.
  void close();

 private:
  enum class Read { kMore, kDrained, kEnd, kFailed };
  void wait_readable();
  void on_readable();
  Read read_some();
  void serve_lines();
  void serve(const std::string& line);
  void reply(std::string_view line);
  void flush();
  void forget_sent();
  void close_when_done();
  void refuse_overlong();

  RpcServer& server_;
  asio::local::stream_protocol::socket peer_;
  rpc::LineBuffer lines_;
  std::string out_;
  std::size_t sent_ = 0;     // of out_
  std::size_t waiting_ = 0;  // requests without an answer yet
  bool writing_ = false;     // a wait for writability is under way
  bool input_done_ = false;  // the client said its last, or too much
};

}  // namespace vballoon::service
