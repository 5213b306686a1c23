// SPDX-License-Identifier: BSD-3-Clause
//
// support/other_lcore.hpp - what the other core does, for as long as a scope lasts.
#pragma once

#include <functional>
#include <thread>
#include <utility>

#include "lcore/poller.hpp"
#include "support/cpu.hpp"

namespace vballoon::perf {

/// A thread on the other core, joined at the end of the scope.
class OtherThread {
 public:
  explicit OtherThread(std::function<void()> body)
      : thread_([body = std::move(body)] {
          pin(kOtherCpu);
          body();
        }) {}
  ~OtherThread() { thread_.join(); }
  OtherThread(const OtherThread&) = delete;
  OtherThread& operator=(const OtherThread&) = delete;

  [[nodiscard]] std::thread::native_handle_type handle() { return thread_.native_handle(); }

 private:
  std::thread thread_;
};

/// Something with run() and stop() on the other core: a poll lcore or a reclaim lcore as the daemon
/// runs it. @pre it outlives this; what is attached to it is detached before this ends.
template <typename Lcore>
class OtherLcore {
 public:
  explicit OtherLcore(Lcore& lcore) : lcore_(lcore), thread_([&lcore] { lcore.run(); }) {}
  ~OtherLcore() { lcore_.stop(); }
  OtherLcore(const OtherLcore&) = delete;
  OtherLcore& operator=(const OtherLcore&) = delete;

  [[nodiscard]] std::thread::native_handle_type handle() { return thread_.handle(); }

 private:
  Lcore& lcore_;
  OtherThread thread_;  // joined after stop()
};

/// A data path on a poll lcore, until the end of the scope. @pre the lcore runs.
class Attached {
 public:
  Attached(lcore::Poller& poller, datapath::DataPath& path) : poller_(poller), path_(path) {
    poller_.attach(path_, 0);
  }
  ~Attached() { poller_.detach(path_); }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;

 private:
  lcore::Poller& poller_;
  datapath::DataPath& path_;
};

}  // namespace vballoon::perf
