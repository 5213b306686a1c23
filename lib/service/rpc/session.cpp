// SPDX-License-Identifier: BSD-3-Clause
#include "service/rpc/session.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <utility>

namespace vballoon::service {
namespace {

/// How long one client is served in a row. A request that takes longer is the last one in the row.
constexpr std::chrono::microseconds kTurn{100};
/// How many bytes are read at once from a client that has sent more than one read took.
constexpr std::size_t kManyLines = 8192;

}  // namespace

using Socket = asio::local::stream_protocol::socket;

RpcSession::RpcSession(RpcServer& server, Socket peer, Rights rights)
    : server_(server), peer_(std::move(peer)), rights_(rights) {
  asio::error_code ignored;
  peer_.non_blocking(true, ignored);  // accept4() made it so; this tells asio
}

void RpcSession::close() {
  if (!peer_.is_open()) return;
  asio::error_code ignored;
  peer_.close(ignored);
  server_.methods_.forget(this);
  server_.forget(shared_from_this());
}

void RpcSession::read() {
  // Room for the longest line and its newline. A full buffer without a newline is too long a line.
  asio::async_read_until(
      peer_, asio::dynamic_buffer(in_, server_.limits_.request_bytes + 1), '\n',
      [self = shared_from_this()](const asio::error_code& error, std::size_t size) {
        self->on_read(error, size);
      });
}

void RpcSession::on_read(const asio::error_code& error, std::size_t size) {
  if (!peer_.is_open()) return;
  if (error == asio::error::not_found) {
    refuse_overlong();
  } else if (error == asio::error::eof) {
    input_done_ = true;
    if (is_gone()) return close();
  } else if (error) {
    return close();
  }
  if (input_done_) return close_when_done();
  serve_lines(size);
  if (peer_.is_open()) read();
}

/// @return true where the client has closed altogether; one that has only ended its requests still
///         reads.
bool RpcSession::is_gone() {
  pollfd peer{peer_.native_handle(), 0, 0};
  return ::poll(&peer, 1, 0) == 1 && (peer.revents & (POLLHUP | POLLERR)) != 0;
}

/// Serves the lines that have arrived, until kTurn is over; then other clients and timers have
/// their time.
/// @param size  the length of the line at the front of in_, with its newline.
void RpcSession::serve_lines(std::size_t size) {
  held_ = true;
  const auto over = std::chrono::steady_clock::now() + kTurn;
  std::size_t begin = 0;  // where the first line begins that was not served
  std::size_t newline = size - 1;
  do {
    serve_line(std::string_view(in_).substr(begin, newline - begin));
    // Skips the empty lines behind the line.
    begin = std::min(in_.find_first_not_of('\n', newline), in_.size());
    newline = in_.find('\n', begin);
  } while (newline != std::string::npos && peer_.is_open() &&
           std::chrono::steady_clock::now() < over);
  drop_served(begin);
  // The replies to requests that came in one piece are sent in one piece.
  held_ = in_.contains('\n');
  if (!held_) flush();
}

/// Removes the lines that were served. From a client that has sent more than these, larger pieces
/// are read from then on.
/// @param bytes  the length of the served lines at the front of in_.
void RpcSession::drop_served(std::size_t bytes) {
  in_.erase(0, bytes);
  if (in_.empty()) {
    in_ = {};
  } else {
    in_.reserve(kManyLines);
  }
}

void RpcSession::serve_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (!line.empty()) serve(line);
}

void RpcSession::serve(std::string_view line) {
  ++server_.methods_.counters().rpc_requests;
  const auto request = rpc::parse_request(line);
  if (!request) return refuse(request.error().id, request.error().error);
  if (rights_ == Rights::kAsk && Methods::changes(request->method)) {
    return refuse(request->id,
                  {rpc::kMayOnlyAsk,
                   fmt::format("{} is not for members of rpc_observers: they may ask, and change "
                               "nothing; be root, the daemon's own user or a member of its "
                               "rpc_group",
                               request->method)});
  }
  if (waiting_ >= server_.limits_.waiting) {
    return refuse(request->id, {rpc::kOverloaded,
                                fmt::format("{} requests of this connection wait already; read "
                                            "their answers first",
                                            waiting_)});
  }
  ++waiting_;
  server_.methods_.call(*request, this,
                        [weak = weak_from_this(), id = request->id,
                         silent = request->notification](const rpc::Outcome<rpc::Body>& outcome) {
                          const auto self = weak.lock();
                          if (!self) return;
                          --self->waiting_;
                          if (!silent) self->answer(id, outcome);
                          self->close_when_done();
                        });
}

void RpcSession::answer(const rpc::Json& id, const rpc::Outcome<rpc::Body>& outcome) {
  if (!outcome) return refuse(id, outcome.error());
  reply(rpc::format_result(id, *outcome));
}

void RpcSession::refuse(const rpc::Json& id, const rpc::Error& error) {
  ++server_.methods_.counters().rpc_errors;
  reply(rpc::format_error(id, error));
}

void RpcSession::reply(std::string_view line) {
  if (!peer_.is_open()) return;
  // One reply may be as long as it is: it is what was asked for.
  if (unread() > server_.limits_.output_bytes) flush();
  const bool reads = unread() <= server_.limits_.output_bytes;
  out_ += line;
  if (!held_ || unread() > server_.limits_.output_bytes) flush();
  if (reads) return;
  std::uint64_t dropped = 0;
  if (server_.gate_.open(&dropped)) {
    log::warn(
        "rpc: a client does not read its replies and is dropped ({} more since the last "
        "such line)",
        dropped);
  }
  close();
}

/// First writes what the kernel takes at once: async_write() would count those bytes later, and
/// unread() has to be exact.
void RpcSession::flush() {
  if (!peer_.is_open() || !sending_.empty() || out_.empty()) return;
  asio::error_code error;
  out_.erase(0, peer_.write_some(asio::buffer(out_), error));
  if (error && error != asio::error::would_block) return close();
  sending_ = std::exchange(out_, {});
  if (sending_.empty()) return;
  asio::async_write(
      peer_, asio::buffer(sending_),
      [this](const asio::error_code& failed, std::size_t sent) -> std::size_t {
        sent_ = sent;
        return failed ? 0 : sending_.size() - sent;
      },
      [self = shared_from_this()](const asio::error_code& failed, std::size_t) {
        self->sending_ = {};
        self->sent_ = 0;
        if (failed) return self->close();
        self->flush();
        self->close_when_done();
      });
}

void RpcSession::close_when_done() {
  if (input_done_ && waiting_ == 0 && unread() == 0) close();
}

void RpcSession::refuse_overlong() {
  input_done_ = true;
  ++server_.methods_.counters().rpc_requests;
  refuse(nullptr, {rpc::kInvalidRequest,
                   fmt::format("a request is longer than {} bytes; the connection ends here",
                               server_.limits_.request_bytes)});
}

}  // namespace vballoon::service
