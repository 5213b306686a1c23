// SPDX-License-Identifier: BSD-3-Clause
//
// sim/guest.hpp - a guest: its programs, its kernel and its balloon driver, as far as memory goes.
// Bytes, no pages.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/units.hpp"
#include "policy/observation.hpp"
#include "sim/demand.hpp"

namespace vballoon::sim {

/// What a driver does other than it should.
enum class Fault {
  kNone,
  kStalls,         ///< never moves its balloon
  kDithers,        ///< gives nothing, but its figure for the balloon is never the same twice
  kClaimsDone,     ///< gives nothing, but says that its balloon is as it should be
  kSilent,         ///< never answers a request for statistics
  kClaimsFree,     ///< says that more is available than it has
  kClaimsNone,     ///< says that nothing is available, and touches all it gets
  kCriesPressure,  ///< a message of pressure each second, and counters that run all the time
  kRunsBackwards,  ///< counters fall
};

struct GuestHabits {
  std::string name;
  std::uint64_t memory = 2 * kGiB;
  std::uint64_t kernel = 80 * kMiB;  ///< what it has at least
  Demand demand = steady(256 * kMiB);
  std::uint64_t files = kGiB;           ///< what its caches grow to, where there is room,
  std::uint64_t read_rate = 16 * kMiB;  ///< in a second
  std::uint64_t hot_files = 0;          ///< of them, read all the time
  std::uint64_t swap = kGiB;
  std::uint64_t page = 4 * kKiB;            ///< a balloon is made of whole ones
  std::uint64_t balloon_rate = 512 * kMiB;  ///< a second
  Time answer_delay{50};                    ///< a request for statistics until it is answered
  Fault fault = Fault::kNone;
  policy::Limits limits;
};

/// What went wrong for its programs.
struct GuestCounters {
  std::uint64_t swapped_in = 0;
  std::uint64_t swapped_out = 0;
  std::uint64_t major_faults = 0;  ///< pages
  std::uint64_t stalls = 0;
  std::uint64_t below_need_ms = 0;  ///< of what its programs want a twentieth or more was missing
};

class Guest {
 public:
  explicit Guest(GuestHabits habits) : habits_(std::move(habits)) {}

  void step(Time now, Time span);
  /// Rounded up to its pages, as Linux does.
  void set_target(std::uint64_t target) noexcept {
    asked_ = target;
    target_ = (target + habits_.page - 1) / habits_.page * habits_.page;
  }

  [[nodiscard]] const GuestHabits& habits() const noexcept { return habits_; }
  [[nodiscard]] const GuestCounters& counters() const noexcept { return counters_; }
  /// As it was set.
  [[nodiscard]] std::uint64_t target() const noexcept { return asked_; }
  /// As the driver says it.
  [[nodiscard]] std::uint64_t claimed_actual() const noexcept;
  [[nodiscard]] std::uint64_t plugged() const noexcept { return habits_.memory - actual_; }
  [[nodiscard]] std::uint64_t used() const noexcept { return habits_.kernel + anon_ + cache_; }
  /// What is looked at all the time.
  [[nodiscard]] std::uint64_t active() const noexcept {
    return habits_.kernel + anon_ + std::min(cache_, habits_.hot_files);
  }
  [[nodiscard]] std::uint64_t anon() const noexcept { return anon_; }
  [[nodiscard]] std::uint64_t cache() const noexcept { return cache_; }
  [[nodiscard]] std::uint64_t wanted() const noexcept { return habits_.kernel + wanted_; }
  [[nodiscard]] std::uint64_t messages() const noexcept { return messages_; }
  /// What its memory takes of the host, swap of the host included.
  [[nodiscard]] std::uint64_t touched() const noexcept { return touched_; }
  [[nodiscard]] std::uint64_t on_host_swap() const noexcept { return on_host_swap_; }
  [[nodiscard]] std::uint64_t present() const noexcept { return touched_ - on_host_swap_; }

  /// Statistics as the driver gives them now; sequence and age are the asker's.
  [[nodiscard]] policy::GuestSample answer() const;

  /// The host moved so much of it to its swap, or back.
  void host_swaps_out(std::uint64_t bytes) noexcept { on_host_swap_ += bytes; }
  void host_swaps_in(std::uint64_t bytes) noexcept { on_host_swap_ -= bytes; }

 private:
  void move_balloon(Time span);
  void run_programs(Time now, Time span);
  void swap_back(Time span);
  void read_files(Time span);
  void touch();
  [[nodiscard]] std::uint64_t free() const noexcept { return plugged() - used(); }
  [[nodiscard]] std::uint64_t watermark() const noexcept { return habits_.memory / 100; }
  [[nodiscard]] std::uint64_t make_room(std::uint64_t bytes, Time span);

  GuestHabits habits_;
  GuestCounters counters_;
  std::uint64_t asked_ = 0;
  std::uint64_t target_ = 0;
  std::uint64_t actual_ = 0;
  std::uint64_t anon_ = 0;
  std::uint64_t swapped_ = 0;
  std::uint64_t cache_ = 0;
  std::uint64_t wanted_ = 0;
  std::uint64_t touched_ = 0;
  std::uint64_t on_host_swap_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t steps_ = 0;
};

}  // namespace vballoon::sim
