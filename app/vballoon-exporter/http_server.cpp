// SPDX-License-Identifier: BSD-3-Clause
#include "http_server.hpp"

#include <microhttpd.h>
#include <sys/socket.h>

#include <iterator>
#include <string>
#include <string_view>

namespace vballoon::exporter {
namespace {

constexpr int kTickMs = 500;
// Beyond our own limit, so that the oldest connection makes room instead of the newest waiting.
constexpr unsigned kSpare = 64;

constexpr std::string_view kFiguresPath = "/metrics";
constexpr const char* kFiguresType = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kPlainType = "text/plain; charset=utf-8";

struct Answer {
  unsigned status;
  const char* type;
  std::string body;
};

/// One connection is one exchange, so that none is held without a question.
bool send(MHD_Connection* connection, const Answer& answer) {
  // The library does not write to what it copies.
  auto* const bytes = const_cast<char*>(answer.body.data());
  MHD_Response* const response =
      ::MHD_create_response_from_buffer(answer.body.size(), bytes, MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return false;
  ::MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.type);
  ::MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  if (answer.status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    ::MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  const bool queued = ::MHD_queue_response(connection, answer.status, response) == MHD_YES;
  ::MHD_destroy_response(response);
  return queued;
}

// A response that is queued at the first call refuses what would come behind the headers.
MHD_Result on_request(void* server, MHD_Connection* connection, const char* path,
                      const char* method, const char* /*version*/, const char* /*upload*/,
                      std::size_t* /*upload_bytes*/, void** /*request*/) {
  return static_cast<HttpServer*>(server)->answer(connection, path, method) ? MHD_YES : MHD_NO;
}

void on_connection(void* server, MHD_Connection* connection, void** context,
                   MHD_ConnectionNotificationCode what) {
  auto* const http = static_cast<HttpServer*>(server);
  if (what == MHD_CONNECTION_NOTIFY_STARTED) {
    const auto* const info =
        ::MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *context = new HttpServer::Exchanges::iterator(http->begin_exchange(info->connect_fd));
    return;
  }
  const std::unique_ptr<HttpServer::Exchanges::iterator> exchange(
      static_cast<HttpServer::Exchanges::iterator*>(*context));
  http->end_exchange(*exchange);
}

/// The library sees the end of the stream and closes.
void cut(const HttpServer::Exchange& exchange) {
  ::shutdown(exchange.fd, SHUT_RDWR);
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(Listener listener, Figures& figures,
                                                      HttpLimits limits) {
  std::unique_ptr<HttpServer> server(new HttpServer(figures, limits));
  const int fd = listener.fd.release();  // the library closes it
  server->daemon_ = ::MHD_start_daemon(
      MHD_USE_EPOLL, 0, nullptr, nullptr, &on_request, server.get(),                    //
      MHD_OPTION_LISTEN_SOCKET, fd,                                                     //
      MHD_OPTION_NOTIFY_CONNECTION, &on_connection, server.get(),                       //
      MHD_OPTION_CONNECTION_LIMIT, static_cast<unsigned>(limits.connections) + kSpare,  //
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits.request_bytes,                         //
      MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(limits.exchange.count()),
      MHD_OPTION_END);
  if (server->daemon_ == nullptr) return fail(Code::kHost, "the HTTP server cannot start");
  return server;
}

HttpServer::~HttpServer() {
  if (daemon_ != nullptr) ::MHD_stop_daemon(daemon_);
}

Result<void> HttpServer::serve(const std::atomic<bool>& stop) {
  while (!stop) {
    if (::MHD_run_wait(daemon_, kTickMs) != MHD_YES && !stop) {
      return fail(Code::kHost, "the HTTP server failed");
    }
    end_overdue();
  }
  return {};
}

HttpServer::Exchanges::iterator HttpServer::begin_exchange(int fd) {
  if (exchanges_.size() >= limits_.connections) {
    // Those that were cut already are still in the list until the library has closed them.
    auto oldest = exchanges_.begin();
    std::advance(oldest, exchanges_.size() - limits_.connections);
    cut(*oldest);
  }
  exchanges_.push_back({fd, std::chrono::steady_clock::now()});
  return std::prev(exchanges_.end());
}

bool HttpServer::answer(MHD_Connection* connection, const char* path, const char* method) {
  const std::string_view verb = method;
  if (verb != MHD_HTTP_METHOD_GET && verb != MHD_HTTP_METHOD_HEAD) {
    return send(connection, {MHD_HTTP_METHOD_NOT_ALLOWED, kPlainType, "GET or HEAD\n"});
  }
  if (path == kFiguresPath) return send(connection, {MHD_HTTP_OK, kFiguresType, figures_.text()});
  return send(connection, {MHD_HTTP_NOT_FOUND, kPlainType, "The figures are at /metrics\n"});
}

void HttpServer::end_overdue() {
  const auto now = std::chrono::steady_clock::now();
  for (const Exchange& exchange : exchanges_) {
    if (now - exchange.began < limits_.exchange) return;
    cut(exchange);
  }
}

}  // namespace vballoon::exporter
