// SPDX-License-Identifier: BSD-3-Clause
//
// rpc/client.hpp - call the daemon and wait for its answer.
// Thread: one owner; blocks.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"
#include "rpc/error.hpp"
#include "rpc/line_buffer.hpp"

namespace vballoon::rpc {

class Client {
 public:
  using Clock = std::chrono::steady_clock;

  /// @errors kUnreachable, naming the path and the way out; kForbidden where the file mode says no.
  [[nodiscard]] static Outcome<Client> connect(const std::string& path);

  /// One request, one reply. After an error of the connection (kUnreachable, kNoAnswer) make a new
  /// client.
  /// @errors what the daemon says; kUnreachable when it goes away; kNoAnswer after the timeout, or
  ///         when *interrupt became true.
  [[nodiscard]] Outcome<Json> call(std::string_view method, Json params,
                                   std::chrono::milliseconds timeout);

  /// @param flag  set by a signal handler: the wait for an answer ends early. Outlives the client.
  void set_interrupt(const std::atomic<bool>* flag) noexcept { interrupt_ = flag; }

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  Client(UniqueFd fd, std::string path) noexcept : fd_(std::move(fd)), path_(std::move(path)) {}
  Outcome<void> wait_for(short events, Clock::time_point deadline);
  Outcome<void> send(std::string_view line, Clock::time_point deadline);
  Outcome<std::string> receive_line(Clock::time_point deadline);

  UniqueFd fd_;
  std::string path_;
  LineBuffer lines_{kMaxReplyBytes};
  std::uint64_t next_id_ = 1;
  const std::atomic<bool>* interrupt_ = nullptr;
};

}  // namespace vballoon::rpc
