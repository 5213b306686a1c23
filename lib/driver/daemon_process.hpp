// SPDX-License-Identifier: BSD-3-Clause
//
// driver/daemon_process.hpp - the real vballoond, in its development profile and a folder of its
// own: the one launcher for tests, soak and perf.
// Thread: one owner.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/child_process.hpp"
#include "driver/temporary_folder.hpp"
#include "rpc/client.hpp"

namespace vballoon::driver {

/// What a start may say besides where the daemon listens.
struct DaemonStart {
  std::string config;                       ///< text of its configuration file; empty: no file
  std::vector<std::string> arguments = {};  ///< more of its command line
  std::function<void()> before = {};        ///< what the new process does before it is the daemon
};

class DaemonProcess {
 public:
  /// Starts nothing yet. @errors throws where there is no temporary folder.
  explicit DaemonProcess(std::string program) : program_(std::move(program)) {}
  /// Stops the daemon.
  ~DaemonProcess();
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  /// @pre none runs; one that ended may be followed by another, in the same folder.
  Result<void> start(const DaemonStart& how);
  /// Until its RPC socket answers. @errors with its last words.
  Result<void> wait_until_ready(std::chrono::milliseconds patience);
  /// Sends the signal and waits. @return whether it ended.
  [[nodiscard]] bool stop(int signal, std::chrono::milliseconds patience);
  void kill() noexcept { process_.kill(); }

  [[nodiscard]] bool alive() { return process_.running(); }
  [[nodiscard]] pid_t pid() const noexcept { return process_.pid(); }
  [[nodiscard]] std::optional<int> wait_status() const noexcept { return process_.wait_status(); }

  /// By the connection that wait_until_ready() made. @errors kUnreachable before it did.
  [[nodiscard]] rpc::Outcome<rpc::Json> call(std::string_view method, rpc::Json params,
                                             std::chrono::milliseconds patience);

  /// The folder of its sockets, its configuration and its log.
  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_.path(); }
  [[nodiscard]] std::string rpc_socket() const { return folder() / "rpc"; }
  /// Where a device of this name listens, if the start says so.
  [[nodiscard]] std::string socket(std::string_view device) const;
  /// Tables of so many devices, vm0 to vmN. @param keys  more lines of each table.
  [[nodiscard]] std::string device_tables(unsigned count, std::string_view keys = {}) const;

  /// All that it wrote so far.
  [[nodiscard]] std::string log() const { return text_of(log_file()); }
  [[nodiscard]] std::filesystem::path log_file() const { return folder() / "log"; }
  /// The log's last lines, and how it ended.
  [[nodiscard]] std::string last_words() const;

 private:
  std::string program_;
  TemporaryFolder folder_;
  ChildProcess process_;
  std::optional<rpc::Client> client_;
};

}  // namespace vballoon::driver
