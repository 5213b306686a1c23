// SPDX-License-Identifier: BSD-3-Clause
//
// sim/host.hpp - a host with its guests and a law over them, in virtual time.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "policy/law.hpp"
#include "sim/guest.hpp"

namespace vballoon::sim {

struct HostHabits {
  std::uint64_t total = 8 * kGiB;
  std::uint64_t reserve = 256 * kMiB;
  Demand others = steady(0);  ///< everything that is no guest
  Time tick{1000};            ///< of the law
  bool notes_balloon = true;  ///< with each sample, what the balloon was
  bool clock_jumps = false;   ///< an hour on at 200 s, two hours back at 300 s
};

/// What the laws are compared by.
struct HostCounters {
  std::uint64_t swapped_in = 0;
  std::uint64_t swapped_out = 0;
  std::uint64_t short_ms = 0;   ///< less available than the reserve
  std::uint64_t moves = 0;      ///< of targets
  std::uint64_t reversals = 0;  ///< moves the other way within a minute
};

class Host {
 public:
  /// Called after each tick, before the decisions take effect.
  using Watcher =
      std::function<void(const policy::Observation&, const std::vector<policy::Decision>&)>;

  /// @param law  of the caller; null where nothing moves.
  Host(HostHabits habits, const std::vector<GuestHabits>& guests, policy::Law* law);

  void run(Time length);
  void watch(Watcher watcher) { watcher_ = std::move(watcher); }

  [[nodiscard]] Time now() const noexcept { return now_; }
  [[nodiscard]] const HostHabits& habits() const noexcept { return habits_; }
  [[nodiscard]] const HostCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] const std::vector<Guest>& guests() const noexcept { return guests_; }
  [[nodiscard]] std::uint64_t available() const noexcept;
  [[nodiscard]] policy::Observation observe() const;

 private:
  /// What the host's side keeps of one guest.
  struct Desk {
    policy::GuestSample sample;  ///< sequence 0: none yet
    Time sampled{0};
    Time asked{-1};
    Time moved{-1'000'000};
    int direction = 0;
  };

  void step();
  void reclaim();
  void fault_back(Guest& guest);
  void read_answers();
  void tick();
  void apply(std::size_t index, const policy::Decision& decision);

  HostHabits habits_;
  std::vector<Guest> guests_;
  std::vector<Desk> desks_;
  policy::Law* law_;
  Watcher watcher_;
  HostCounters counters_;
  Time now_{0};
  unsigned events_ = 0;
  std::uint64_t reclaimed_ = 0;
};

}  // namespace vballoon::sim
