// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/session.hpp - one connected client.
// Thread: the control thread. An idle client costs two descriptors' worth of kernel memory, a
//         buffer of 512 bytes and this object.
#pragma once

#include <asio/local/stream_protocol.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "service/rpc/server.hpp"

namespace vballoon::service {

class RpcSession : public std::enable_shared_from_this<RpcSession> {
 public:
  RpcSession(RpcServer& server, asio::local::stream_protocol::socket peer, Rights rights);

  void start() { read(); }
  /// Drops the client. Answers that come later are thrown away.
  void close();

  [[nodiscard]] Rights rights() const noexcept { return rights_; }

 private:
  void read();
  void on_read(const asio::error_code& error, std::size_t size);
  [[nodiscard]] bool is_gone();
  void serve_lines(std::size_t size);
  void serve_line(std::string_view line);
  void drop_served(std::size_t bytes);
  void serve(std::string_view line);
  void answer(const rpc::Json& id, const rpc::Outcome<rpc::Body>& outcome);
  void refuse(const rpc::Json& id, const rpc::Error& error);
  void reply(std::string_view line);
  void flush();
  void close_when_done();
  void refuse_overlong();
  /// @return the bytes of replies that the kernel has not taken yet.
  [[nodiscard]] std::size_t unread() const noexcept {
    return out_.size() + sending_.size() - sent_;
  }

  RpcServer& server_;
  asio::local::stream_protocol::socket peer_;
  const Rights rights_;
  std::string in_;
  std::string out_;          // replies that follow sending_
  std::string sending_;      // what async_write() is sending; empty: no write is under way
  std::size_t sent_ = 0;     // bytes of sending_ that are sent
  std::size_t waiting_ = 0;  // requests without an answer yet
  bool held_ = false;        // replies are held back while in_ has further whole lines
  bool input_done_ = false;  // the client closed its side, or sent too long a line
};

}  // namespace vballoon::service
