// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/daemon.hpp - one vballoond in the development profile, for one test.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "../../unit/support/other_user.hpp"
#include "driver/daemon_process.hpp"
#include "driver/temporary_folder.hpp"
#include "rpc/client.hpp"

namespace vballoon::model {

using Json = rpc::Json;
using driver::TemporaryFolder;

class Daemon {
 public:
  /// Starts it in a directory of its own and waits until it answers.
  /// @param devices  names, or "NAME=client" for one that connects to us.
  /// @param config  the text of a configuration file, where not empty.
  /// @param keeps  it has a state folder, for restart().
  /// @errors throws, with what the daemon said.
  explicit Daemon(const std::vector<std::string>& devices, const std::string& config = {},
                  bool keeps = false);
  /// @param user  who runs it, with no capability at all; nobody named: whoever we are.
  Daemon(const std::vector<std::string>& devices, const std::string& config,
         const std::optional<support::User>& user, bool keeps = false);
  /// Ends it by SIGTERM; a daemon that does not end, or not cleanly, fails the test.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  [[nodiscard]] std::string socket(const std::string& device) const {
    return process_.socket(device);
  }

  /// @errors throws, with the daemon's message.
  Json call(const std::string& method, const Json& params);
  [[nodiscard]] rpc::Outcome<Json> try_call(const std::string& method, const Json& params);
  Json show(const std::string& device) { return call("device.show", {{"name", device}}); }

  /// Ends it by this signal and starts another in its place. @errors as the constructor.
  void restart(int signal);

  [[nodiscard]] bool alive() { return process_.alive(); }
  [[nodiscard]] pid_t pid() const noexcept { return process_.pid(); }
  /// The folder of its sockets and its log.
  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return process_.folder(); }
  /// All that it wrote so far.
  [[nodiscard]] std::string log() const { return process_.log(); }

 private:
  void launch();

  driver::DaemonProcess process_;
  driver::DaemonStart start_;
};

}  // namespace vballoon::model
