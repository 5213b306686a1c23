// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc_peer.hpp - an RPC server on a thread of its own, and clients that misbehave.
#pragma once

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/unique_fd.hpp"
#include "driver/temporary_folder.hpp"
#include "fake_fleet.hpp"
#include "fake_host.hpp"
#include "service/rpc/server.hpp"

namespace vballoon::service {

using driver::TemporaryFolder;

/// Serves a FakeFleet until it goes out of scope.
class ServedFleet {
 public:
  explicit ServedFleet(RpcLimits limits = {}, const RpcGroups<std::string>& groups = {});
  ~ServedFleet();
  ServedFleet(const ServedFleet&) = delete;
  ServedFleet& operator=(const ServedFleet&) = delete;

  /// Runs `body` on the loop's thread, where the fleet may be touched, and waits for it.
  template <typename Body>
  auto on_loop(Body body) {
    std::packaged_task<decltype(body())()> task(std::move(body));
    auto result = task.get_future();
    asio::post(loop_, [&task] { task(); });
    return result.get();
  }
  /// Waits until so many clients are connected. @return false when it takes too long.
  [[nodiscard]] bool wait_for_clients(std::size_t n);

  /// Questions that wait for an event. @pre on_loop()
  [[nodiscard]] std::size_t waiting() { return methods_.events().waiting(); }

  [[nodiscard]] std::string path() const { return folder_.path("rpc.sock"); }
  FakeFleet fleet;

 private:
  TemporaryFolder folder_;
  asio::io_context loop_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  FakeHost host_;
  std::unique_ptr<policy::Autopilot> autopilot_;
  VmSettings settings_;
  Methods methods_;
  std::unique_ptr<RpcServer> server_;
  std::thread thread_;
};

/// The error code of a reply; 0 for a result, 1 without a reply, 2 for one that cannot be read.
[[nodiscard]] int code_of(const std::optional<std::string>& line);

/// A bare connection: bytes out, lines in.
class RawClient {
 public:
  explicit RawClient(const std::string& path);
  /// @return false once the server has closed.
  bool send(std::string_view bytes);
  /// One line without its newline; nothing when the server closed, or said nothing for 5 s.
  [[nodiscard]] std::optional<std::string> line();
  /// What one look at the socket gives; nothing as above. @pre line() left nothing.
  [[nodiscard]] std::string chunk();
  /// True when the server has closed, and nothing is left to read.
  [[nodiscard]] bool closed();
  void end_output();
  void close() { fd_.reset(); }

 private:
  UniqueFd fd_;
  std::string pending_;
};

}  // namespace vballoon::service
