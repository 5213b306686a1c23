// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/eal.hpp - DPDK's environment (EAL): started once, with its log lines among the daemon's.
// EAL's own headers stay behind this one.
// Thread: the control thread, which becomes EAL's main lcore.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "lcore/plan.hpp"
#include "lcore/settings.hpp"

namespace vballoon::lcore {

/// @return "DPDK 22.11.11" and the like.
[[nodiscard]] std::string eal_version();

/// Returns the text to show instead of a line of DPDK's log. The thread that logs calls it.
using ReadableLine = std::string (*)(std::string_view line);
/// Adds the file and line of a setting to an error that begins with the setting's key, as in
/// "eal.args: ...".
using Blame = std::function<Status(Status)>;

class Eal {
 public:
  /// Starts EAL and pins the calling thread. At most once in the life of a process.
  /// @errors kHost with the last error that DPDK logged and, for missing huge pages, the way out;
  ///         kInvalidArgument when DPDK refuses eal.args.
  [[nodiscard]] static Result<std::unique_ptr<Eal>> start(const LcoreSettings& settings,
                                                          const LcorePlan& plan, Blame blame,
                                                          ReadableLine readable);
  /// Waits until all launched bodies have returned. @pre they have been told to return.
  ~Eal();
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;

  /// Runs `body` on a poll or reclaim lcore of the plan, until `body` returns.
  /// @errors kHost when EAL does not know that lcore or the lcore is busy.
  [[nodiscard]] Result<void> launch(unsigned lcore, std::function<void()> body);

  /// Waits until all launched bodies have returned.
  void wait();

 private:
  explicit Eal(ReadableLine readable);

  struct Launch;
  struct LogStream;
  std::unique_ptr<LogStream> log_;
  std::vector<std::unique_ptr<Launch>> launches_;
  bool started_ = false;
};

}  // namespace vballoon::lcore
