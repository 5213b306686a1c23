// SPDX-License-Identifier: BSD-3-Clause
//
// vballoon-exporter/http_server.hpp - answers HTTP requests for the figures.
// The cost of a scraper is bounded: connections, the time and the size of a request.
// Thread: one owner; everything happens in serve().
#pragma once

#include <atomic>
#include <chrono>
#include <list>
#include <memory>

#include "base/result.hpp"
#include "figures.hpp"
#include "listener.hpp"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

namespace vballoon::exporter {

struct HttpLimits {
  std::size_t connections = 256;  ///< the oldest one is ended for one more
  std::size_t request_bytes = 8192;
  std::chrono::seconds exchange{10};  ///< from the connection to the end of the answer
};

class HttpServer {
 public:
  /// @errors kHost when the library cannot start.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(Listener listener,
                                                                 Figures& figures,
                                                                 HttpLimits limits = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Serves until *stop.
  /// @errors kHost when the library fails.
  Result<void> serve(const std::atomic<bool>& stop);

  // For the library's callbacks.

  struct Exchange {
    int fd;
    std::chrono::steady_clock::time_point began;
  };
  using Exchanges = std::list<Exchange>;  // the oldest first

  Exchanges::iterator begin_exchange(int fd);
  void end_exchange(Exchanges::iterator exchange) { exchanges_.erase(exchange); }
  /// @return false: the connection is to be ended.
  bool answer(MHD_Connection* connection, const char* path, const char* method);

 private:
  HttpServer(Figures& figures, HttpLimits limits) : figures_(figures), limits_(limits) {}
  [[nodiscard]] MHD_Response* newest();
  void end_overdue();

  Figures& figures_;
  const HttpLimits limits_;
  Exchanges exchanges_;
  MHD_Daemon* daemon_ = nullptr;
  MHD_Response* newest_ =
      nullptr;  // shared by all connections: a slow reader holds no copy of its own
};

}  // namespace vballoon::exporter
