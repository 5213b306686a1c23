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

/// One connection is one exchange, so that none is held without a question.
MHD_Response* make_response(const std::string& body, const char* type) {
  // The library does not write to what it copies.
  auto* const bytes = const_cast<char*>(body.data());
  MHD_Response* const response =
      ::MHD_create_response_from_buffer(body.size(), bytes, MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return nullptr;
  ::MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  ::MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  return response;
}

bool refuse(MHD_Connection* connection, unsigned status, const std::string& why) {
  MHD_Response* const response = make_response(why, kPlainType);
  if (response == nullptr) return false;
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    ::MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  const bool queued = ::MHD_queue_response(connection, status, response) == MHD_YES;
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
  if (newest_ != nullptr) ::MHD_destroy_response(newest_);
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
    return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD\n");
  }
  if (path != kFiguresPath) {
    return refuse(connection, MHD_HTTP_NOT_FOUND, "The figures are at /metrics\n");
  }
  MHD_Response* const response = newest();
  return response != nullptr && ::MHD_queue_response(connection, MHD_HTTP_OK, response) == MHD_YES;
}

/// The library keeps an older response as long as a connection still sends it.
MHD_Response* HttpServer::newest() {
  if (!figures_.renew() && newest_ != nullptr) return newest_;
  if (newest_ != nullptr) ::MHD_destroy_response(newest_);
  newest_ = make_response(figures_.text(), kFiguresType);
  return newest_;
}

void HttpServer::end_overdue() {
  const auto now = std::chrono::steady_clock::now();
  for (const Exchange& exchange : exchanges_) {
    if (now - exchange.began < limits_.exchange) return;
    cut(exchange);
  }
}

}  // namespace vballoon::exporter
