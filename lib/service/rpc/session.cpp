// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/session.cpp - see rpc_session.hpp.
#include "service/rpc/session.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace vballoon::service {

using Socket = asio::local::stream_protocol::socket;

RpcSession::RpcSession(RpcServer& server, Socket peer)
    : server_(server), peer_(std::move(peer)), lines_(server.limits_.request_bytes) {}

void RpcSession::close() {
  if (!peer_.is_open()) return;
  asio::error_code ignored;
  peer_.close(ignored);
  server_.forget(shared_from_this());
}

void RpcSession::wait_readable() {
  peer_.async_wait(Socket::wait_read, [self = shared_from_this()](const asio::error_code& error) {
    if (error) return self->close();
    self->on_readable();
  });
}

void RpcSession::on_readable() {
  const auto self = shared_from_this();
  // One chunk a turn: other clients and timers get theirs in between.
  const Read result = read_some();
  if (result == Read::kFailed) return close();
  serve_lines();
  if (result == Read::kEnd) input_done_ = true;
  if (!peer_.is_open()) return;
  if (input_done_) return close_when_done();
  wait_readable();
}

RpcSession::Read RpcSession::read_some() {
  std::array<char, 16384> chunk;
  const ssize_t n = ::recv(peer_.native_handle(), chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (n > 0) {
    lines_.append({chunk.data(), static_cast<std::size_t>(n)});
    return Read::kMore;
  }
  if (n == 0) return Read::kEnd;
  return errno == EAGAIN || errno == EINTR ? Read::kDrained : Read::kFailed;
}

void RpcSession::serve_lines() {
  while (peer_.is_open() && !input_done_) {
    const auto line = lines_.next();
    if (lines_.overflowed()) return refuse_overlong();
    if (!line) return;
    if (!line->empty()) serve(*line);
  }
}

void RpcSession::serve(const std::string& line) {
  const auto request = rpc::parse_request(line);
  if (!request) return reply(rpc::format_error(request.error().id, request.error().error));
  if (waiting_ >= server_.limits_.waiting) {
    return reply(rpc::format_error(
        request->id, {rpc::kOverloaded, fmt::format("{} requests of this connection wait already; "
                                                    "read their answers first",
                                                    waiting_)}));
  }
  ++waiting_;
  server_.methods_.call(*request,
                        [weak = weak_from_this(), id = request->id,
                         silent = request->notification](const rpc::Outcome<rpc::Json>& outcome) {
                          const auto self = weak.lock();
                          if (!self) return;
                          --self->waiting_;
                          if (!silent) {
                            self->reply(outcome ? rpc::format_result(id, *outcome)
                                                : rpc::format_error(id, outcome.error()));
                          }
                          self->close_when_done();
                        });
}

void RpcSession::reply(std::string_view line) {
  if (!peer_.is_open()) return;
  out_ += line;
  flush();
  if (out_.size() - sent_ <= server_.limits_.output_bytes) return;
  std::uint64_t dropped = 0;
  if (server_.gate_.open(&dropped)) {
    log::warn(
        "rpc: a client does not read its replies and is dropped ({} more since the last "
        "such line)",
        dropped);
  }
  close();
}

void RpcSession::flush() {
  while (peer_.is_open() && !writing_ && sent_ < out_.size()) {
    const ssize_t n = ::send(peer_.native_handle(), out_.data() + sent_, out_.size() - sent_,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
      sent_ += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      writing_ = true;
      peer_.async_wait(Socket::wait_write,
                       [self = shared_from_this()](const asio::error_code& error) {
                         self->writing_ = false;
                         if (error) return self->close();
                         self->flush();
                         self->close_when_done();
                       });
    } else if (errno != EINTR) {
      return close();
    }
  }
  forget_sent();
}

/// What was sent goes as soon as it is the larger part, so that a client which reads, but never
/// catches up, costs no more than twice the bound either.
void RpcSession::forget_sent() {
  if (sent_ == out_.size()) {
    out_ = {};
  } else if (sent_ > out_.size() / 2) {
    out_.erase(0, sent_);
  } else {
    return;
  }
  sent_ = 0;
}

void RpcSession::close_when_done() {
  if (input_done_ && waiting_ == 0 && out_.empty()) close();
}

void RpcSession::refuse_overlong() {
  input_done_ = true;
  reply(rpc::format_error(
      nullptr, {rpc::kInvalidRequest,
                fmt::format("a request is longer than {} bytes; the connection ends here",
                            server_.limits_.request_bytes)}));
}

}  // namespace vballoon::service
