// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/support/running.hpp - poll lcores and reclaim lcores on threads of the operating
// system.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "lcore/poller.hpp"
#include "lcore/reclaim_lcore.hpp"
#include "support/device_fixture.hpp"

namespace vballoon::lcore {

/// For many devices and any thread; only says that all is gone.
class Nowhere final : public reclaim::Discarder {
 public:
  [[nodiscard]] bool discard(int, std::uint64_t, std::uint64_t) noexcept override {
    calls.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  std::atomic<std::uint64_t> calls{0};
};

/// A poller on a thread of its own.
class RunningPoller {
 public:
  explicit RunningPoller(reclaim::Discarder& discarder, IdleStrategy idle = IdleStrategy::kSpin)
      : poller_(7, idle, discarder) {
    begin();
  }
  /// More threads than cores: those without work step aside.
  explicit RunningPoller(reclaim::Engine& engine) : poller_(7, IdleStrategy::kBackoff, unused_) {
    poller_.use_engine(engine);
    begin();
  }
  ~RunningPoller() { stop(); }
  RunningPoller(const RunningPoller&) = delete;
  RunningPoller& operator=(const RunningPoller&) = delete;

  void stop() {
    poller_.stop();
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] Poller& poller() { return poller_; }
  [[nodiscard]] std::thread::id thread() const { return thread_.get_id(); }

  void attach(datapath::DeviceFixture& device, unsigned worker = 0) {
    poller_.attach(device.path(), worker);
  }
  /// The test owns it again, and discards by itself.
  void detach(datapath::DeviceFixture& device) {
    poller_.detach(device.path());
    device.use_own_sink();
  }

  void wait_for_passes(std::uint64_t passes) {
    const std::uint64_t until = poller_.counters().passes.get() + passes;
    while (poller_.counters().passes.get() < until) std::this_thread::yield();
  }

 private:
  void begin() {
    thread_ = std::thread([this] { poller_.run(); });
  }

  Nowhere unused_;
  Poller poller_;
  std::thread thread_;
};

/// A reclaim lcore on a thread of its own.
class RunningReclaim {
 public:
  RunningReclaim(reclaim::Engine& engine, unsigned worker)
      : lcore_(9, engine, worker, IdleStrategy::kBackoff), thread_([this] { lcore_.run(); }) {}
  ~RunningReclaim() {
    lcore_.stop();
    thread_.join();
  }
  RunningReclaim(const RunningReclaim&) = delete;
  RunningReclaim& operator=(const RunningReclaim&) = delete;

  [[nodiscard]] const ReclaimLcore& lcore() const { return lcore_; }
  [[nodiscard]] std::thread::id thread() const { return thread_.get_id(); }

 private:
  ReclaimLcore lcore_;
  std::thread thread_;
};

inline void wait_for_used(datapath::DeviceFixture& f, wire::Role role, std::uint16_t idx) {
  while (f.ring(role).used_idx() != idx) std::this_thread::yield();
}

}  // namespace vballoon::lcore
