// SPDX-License-Identifier: BSD-3-Clause
//
// control/eal.hpp - DPDK's environment: started once, with its log lines among ours.
// Layer:  control; may include base/. EAL's own headers stay behind this one.
// Thread: the control thread, which becomes EAL's main lcore.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/config.hpp"
#include "control/lcore_plan.hpp"

namespace vballoon::control {

/// @return "DPDK 22.11.11" and the like.
[[nodiscard]] std::string eal_version();

class Eal {
 public:
  /// Starts EAL and pins the calling thread. Once in the life of a process.
  /// @errors kHost with DPDK's last word on it and, for missing huge pages, the way out.
  [[nodiscard]] static Result<std::unique_ptr<Eal>> start(const Config& config,
                                                          const LcorePlan& plan);
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
  Eal();

  struct Launch;
  struct LogStream;
  std::unique_ptr<LogStream> log_;
  std::vector<std::unique_ptr<Launch>> launches_;
  bool started_ = false;
};

}  // namespace vballoon::control
