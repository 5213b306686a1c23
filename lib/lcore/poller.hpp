// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/poller.hpp - one poll lcore: the devices it serves, its mailbox, its idle strategy.
// DPDK stays behind this header.
// Thread: run() is the lcore, whichever thread is its; attach() and detach() are for other
//         threads, and answered by it.
//
// A device whose memory holds the lcore up leaves it for a poller of its own, which is the same
// class with one device and a thread that is no lcore (crew.hpp). Until it is attached anew it is
// served there; DataPath::carrier() says by whom.
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

/// What a poll lcore did so far; any thread may read.
struct PollerCounters {
  Counter passes;
  Counter busy_passes;
  Counter sleeps;
};

class Crew;

class Poller final : public Post, public datapath::Carrier {
 public:
  /// @param lcore  the EAL lcore id it will run on; only shown to people.
  /// @param discarder  with which it discards itself, where there are no reclaim lcores.
  Poller(unsigned lcore, IdleStrategy idle, reclaim::Discarder& discarder);
  /// For a device alone: run() is over once that is detached. Sleeps while idle.
  Poller();

  /// From now on reclaim lcores discard. @pre run() does not run yet; the engine outlives it.
  void use_engine(reclaim::Engine& engine) noexcept { engine_ = &engine; }
  /// A device that is slow is attached to a thread of this crew instead. @pre as above
  void use_crew(Crew& crew) noexcept { crew_ = &crew; }

  /// From the return on, the lcore owns the data path. Both block until the lcore answers, so run()
  /// must be running: start the lcore before the first device, stop it after the last.
  /// @param worker  the reclaim lcore that discards for it; no meaning without an engine.
  void attach(datapath::DataPath& path, unsigned worker);
  /// From the return on, the caller owns it again: whoever served it has left it, no discard is on
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
  /// Attached now; any thread.
  [[nodiscard]] std::size_t devices() const noexcept {
    return device_count_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] const PollerCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::uint64_t progress() const noexcept override { return counters_.passes.get(); }

  /// The guard: see Post. What was entered is a data path.
  void part_with(const void* whose, Parting* parting) noexcept override;
  /// A poller for one device gets it. @pre run() does not run.
  void adopt(datapath::DataPath& path) noexcept;
  void disown() noexcept { adopted_ = nullptr; }

 private:
  /// A device that is served here; its watches lie at the same place in watches_.
  struct Slot {
    datapath::DataPath* path = nullptr;
    std::uint64_t look_again_us = 0;  // from when on, although nothing changed
  };
  static constexpr std::size_t kWatches = datapath::DataPath::kWatches;

  /// One over all slots.
  struct Pass {
    Found found = Found::kNothing;
    bool clocked = false;  // there are slots that wait for their time
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

  std::vector<Watches> watches_;           // by slot; lcore only, while run() runs
  std::vector<Slot> slots_;                // likewise
  bool clocked_ = false;                   // the last pass found slots that wait for their time
  datapath::DataPath* leaving_ = nullptr;  // on its way out, no longer served
  datapath::DataPath* parted_ = nullptr;   // set by the guard: it is here no more
  datapath::DataPath* adopted_ = nullptr;  // set before run(): it is here
  reclaim::Engine* engine_ = nullptr;
  Crew* crew_ = nullptr;
  Mailbox mailbox_;
  Idle idle_;
  std::atomic<bool> stopping_{false};  // set by stop(), read by the lcore
  std::atomic<std::size_t> device_count_{0};
  PollerCounters counters_;
  reclaim::Discarder* const discarder_;  // null: of one device
  const unsigned lcore_;
};

}  // namespace vballoon::lcore
