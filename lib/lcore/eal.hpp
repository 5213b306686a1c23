// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/eal.hpp - DPDK's environment: started once, with its log lines among ours.
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

/// What to show instead of a line of DPDK's log. Called on the thread that logs.
using ReadableLine = std::string (*)(std::string_view line);
/// Names the place where the setting stands that an error begins with, as "eal.args: ...".
using Blame = std::function<Status(Status)>;

class Eal {
 public:
  /// Starts EAL and pins the calling thread. Once in the life of a process.
  /// @errors kHost with DPDK's last word on it and, for missing huge pages, the way out.
  [[nodiscard]] static Result<std::unique_ptr<Eal>> start(const LcoreSettings& settings,
                                                          const LcorePlan& plan, Blame blame,
                                                          ReadableLine readable);
  /// @pre  Whatever was launched has been told to return; this waits for it.
  ~Eal();
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;

  /// Runs `body` on a poll lcore of the plan, until it returns by itself.
  /// @errors kHost when EAL does not know that lcore or it is busy.
  [[nodiscard]] Result<void> launch(unsigned lcore, std::function<void()> body);

  /// Waits until everything launched has returned.
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
