// SPDX-License-Identifier: BSD-3-Clause
//
// support/rpc_pipe.hpp - many RPC requests at once, whose answers nobody takes apart: what is
// measured is the daemon, not its client.
// Thread: one owner; blocks.
#pragma once

#include <span>
#include <string>

#include "base/unique_fd.hpp"
#include "rpc/message.hpp"

namespace vballoon::perf {

class RpcPipe {
 public:
  /// Who waits for answers.
  enum class Wait {
    kWoken,  ///< by the daemon, as a person's tool is
    kDozes,  ///< and looks now and then: no answer costs the daemon a thread to be woken
  };

  /// @param path  of the daemon's RPC socket. Gives up where nobody answers.
  explicit RpcPipe(const std::string& path);

  /// @param requests  lines, from line(); at most so many that their answers go into the socket.
  /// @param count     so many they are.
  /// Gives up where one is refused.
  void ask(const std::string& requests, unsigned count, Wait wait);

  /// One request.
  [[nodiscard]] static std::string line(const std::string& method, rpc::Json params);

 private:
  UniqueFd fd_;
  std::string answers_;
};

}  // namespace vballoon::perf
