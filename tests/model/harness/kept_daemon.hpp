// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/kept_daemon.hpp - vballoond under vballoon-keeper, which starts it again.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "driver/child_process.hpp"
#include "driver/temporary_folder.hpp"
#include "fixture.hpp"
#include "walking_vm.hpp"

namespace vballoon::model {

/// Of a VM that waits for the next daemon.
[[nodiscard]] DriverOptions patient();
/// What a VMM waits for an answer while the next daemon starts: more than 10 s with a sanitizer, on
/// a busy machine.
inline constexpr std::chrono::seconds kOverARestart{60};

struct KeptOptions {
  std::vector<std::string> keeper{};  ///< more of the keeper's command line
  std::vector<std::string> before{};  ///< a command that becomes the keeper: its path and arguments
  std::string config{};               ///< the daemon's configuration file; empty: none
};

class KeptDaemon {
 public:
  /// @param devices  their names.
  explicit KeptDaemon(const std::vector<std::string>& devices, const KeptOptions& options = {});
  /// Ends both; whoever does not end cleanly fails the test.
  ~KeptDaemon();
  KeptDaemon(const KeptDaemon&) = delete;
  KeptDaemon& operator=(const KeptDaemon&) = delete;

  [[nodiscard]] std::string socket(const std::string& device) const;
  [[nodiscard]] driver::MessageSocket connect(const std::string& device) const;
  /// A VM on that device's socket, which does not know how to connect again.
  /// @pre  it ends before this object.
  [[nodiscard]] std::unique_ptr<WalkingVm> start(const std::string& device,
                                                 DriverOptions options = patient(),
                                                 std::uint64_t seed = test_seed()) const;
  /// The same, on a connection that is there.
  [[nodiscard]] std::unique_ptr<WalkingVm> start_on(driver::MessageSocket socket,
                                                    const std::string& device,
                                                    DriverOptions options = patient(),
                                                    std::uint64_t seed = test_seed()) const;

  /// @errors throws, with the daemon's message. The daemon may be a new one with each call.
  Json call(const std::string& method, const Json& params) const;
  [[nodiscard]] Json show(const std::string& device) const {
    return call("device.show", {{"name", device}});
  }

  /// The daemon that runs now; waits for one.
  [[nodiscard]] pid_t pid() const;
  /// Sends it a signal, and does not wait.
  void hit(int signal) const;
  /// Until another one than this answers.
  void await_successor_of(pid_t old) const;
  /// hit(), await_successor_of().
  void replace(int signal) const;
  /// SIGUSR1 to the keeper: an upgrade.
  void upgrade();
  /// Kills the daemon, does this while none runs, and waits for the next one.
  void while_away(const std::function<void()>& what);
  /// The next daemon reads this. @pre it was started with a configuration.
  void configure(const std::string& text) const;

  /// The daemon lives on without it, until this object ends.
  void kill_keeper();

  [[nodiscard]] std::string log() const { return driver::text_of(folder_.path() / "log"); }
  [[nodiscard]] std::size_t logged(const std::string& text) const;
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  [[nodiscard]] driver::ChildProcess& keeper() { return keeper_; }
  [[nodiscard]] const driver::ChildProcess& keeper() const { return keeper_; }

 private:
  driver::TemporaryFolder folder_;
  driver::ChildProcess keeper_;
  pid_t orphan_ = -1;  // the daemon, once its keeper was killed
};

}  // namespace vballoon::model
