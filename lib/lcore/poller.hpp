// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/poller.hpp - one poll lcore: the devices it serves, its mailbox, its idle strategy.
// DPDK stays behind this header.
// Thread: the thread that has the lcore's seat calls run(). Other threads call attach() and
//         detach(); run() answers them.
//
// A device whose memory holds up the lcore moves to a poller of its own: the same class, with one
// device and with a thread that is no lcore (crew.hpp). That poller serves the device until the
// device is attached anew. DataPath::carrier() names the poller that serves a device.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/counter.hpp"
#include "datapath/data_path.hpp"
#include "lcore/idle.hpp"
#include "lcore/mailbox.hpp"
#include "lcore/post.hpp"
#include "reclaim/batch.hpp"
#include "reclaim/engine.hpp"

namespace vballoon::lcore {

/// What a poll lcore did so far. Any thread may read the counters.
struct PollerCounters {
  Counter passes;
  Counter busy_passes;
  Counter sleeps;
};

class Crew;

class Poller final : public Post, public datapath::Carrier {
 public:
  /// @param lcore  the EAL lcore id that run() will be on; only shown to people.
  /// @param discarder  for the poller's own discards, where there are no reclaim lcores.
  Poller(unsigned lcore, IdleStrategy idle, reclaim::Discarder& discarder);
  /// A poller for one device. run() returns once that device is detached. The poller sleeps while
  /// it is idle.
  Poller();

  /// From now on reclaim lcores discard. @pre run() does not run yet; the engine outlives it.
  void use_engine(reclaim::Engine& engine) noexcept { engine_ = &engine; }
  /// attach() gives a slow VM's device to a thread of this crew instead. @pre run() does not run
  /// yet.
  void use_crew(Crew& crew) noexcept { crew_ = &crew; }

  /// From the return on, the lcore owns the data path. attach() and detach() block until the lcore
  /// answers, so run() must be running: start the lcore before the first device, stop it after the
  /// last.
  /// @param worker  the reclaim lcore that discards for the device; ignored without an engine.
  void attach(datapath::DataPath& path, unsigned worker);
  /// From the return on, the caller owns the data path again: no poller serves it, no batch is on
  /// its way and no buffer is held.
  void detach(datapath::DataPath& path);

  /// The lcore's loop, until stop().
  void run(Tenure& tenure) noexcept override;
  void run() noexcept {
    Tenure tenure;
    run(tenure);
  }
  void stop() noexcept { stopping_.store(true, std::memory_order_relaxed); }

  [[nodiscard]] unsigned lcore() const noexcept { return lcore_; }
  /// The number of devices attached now. Any thread.
  [[nodiscard]] std::size_t devices() const noexcept {
    return device_count_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] const PollerCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::uint64_t progress() const noexcept override { return counters_.passes.get(); }

  /// @param whose  the data path that the thread entered.
  void part_with(const void* whose, Parting* parting) noexcept override;
  /// Gives a poller for one device that device. @pre run() does not run.
  void adopt(datapath::DataPath& path) noexcept;
  void disown() noexcept { adopted_ = nullptr; }

 private:
  /// A device that this poller serves. Its watches have the same index in watches_.
  struct Slot {
    datapath::DataPath* path = nullptr;
    std::uint64_t look_again_us = 0;  // when to poll the device although no watch changed
  };
  static constexpr std::size_t kWatches = datapath::DataPath::kWatches;

  /// One pass over all slots.
  struct Pass {
    Found found = Found::kNothing;
    bool clocked = false;  // some slots wait for their time
    std::uint64_t now_us = 0;
  };
  using Watches = std::array<datapath::Watch, kWatches>;

  void take_over();
  [[nodiscard]] std::optional<Found> pass(Tenure& tenure) noexcept;
  [[nodiscard]] bool serve(std::size_t slot, Tenure& tenure, Pass* pass) noexcept;
  void add(datapath::DataPath& path);
  bool remove(datapath::DataPath& path);
  [[nodiscard]] bool read_mail(Tenure& tenure);
  [[nodiscard]] std::optional<bool> answered(const Mailbox::Letter& letter, Tenure& tenure);
  [[nodiscard]] bool done() const noexcept;

  std::vector<Watches> watches_;           // by slot; the lcore's alone while run() runs
  std::vector<Slot> slots_;                // the lcore's alone while run() runs
  bool clocked_ = false;                   // in the last pass some slots waited for their time
  datapath::DataPath* leaving_ = nullptr;  // being detached; not polled any more
  datapath::DataPath* parted_ = nullptr;   // set by the guard: another poller has this one now
  datapath::DataPath* adopted_ = nullptr;  // set before run(): this one comes here
  reclaim::Engine* engine_ = nullptr;
  Crew* crew_ = nullptr;
  Mailbox mailbox_;
  Idle idle_;
  std::atomic<bool> stopping_{false};  // set by stop(), read by the lcore
  std::atomic<std::size_t> device_count_{0};
  PollerCounters counters_;
  reclaim::Discarder* const discarder_;  // null: this is a poller for one device
  const unsigned lcore_;
};

}  // namespace vballoon::lcore
