// SPDX-License-Identifier: BSD-3-Clause
//
// support/policy_guest.hpp - a guest for the laws: a driver of ours on a device of the real daemon
// that does what Linux does. It answers requests for statistics, and follows the target in buffers
// of 256 pages, looking at it and saying how far it is after each.
// Thread: one owner, who may have thousands of them. Its memory is holes: what moves
// is page numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "driver/balloon_driver.hpp"
#include "wire/stats.hpp"

namespace vballoon::perf {

/// How a guest lets it be known that it is short of memory.
enum class Sign { kStatistics, kMessage };

enum class Manner {
  kLinux,
  /// Rings for inflate, deflate and statistics alone, and a balloon that is moved in one go: so
  /// that a thousand of them take neither all descriptors of a process nor all time of the event
  /// thread.
  kFrugal,
};

class PolicyGuest {
 public:
  PolicyGuest(driver::MessageSocket socket, std::uint64_t bytes, Sign sign,
              Manner manner = Manner::kLinux);

  [[nodiscard]] std::uint64_t balloon() const noexcept;
  /// From press() until so much was handed back; 0 until then.
  [[nodiscard]] double waited_ms() const noexcept { return waited_ms_; }
  /// Requests for statistics so far.
  [[nodiscard]] std::uint64_t answered() const noexcept { return driver_->stats_answered(); }

  /// Answers, and follows a target that moved. Never waits for one.
  void serve();
  /// Answers, and leaves the balloon as it is.
  void answer();
  /// What it gets back counts as used then: of memory that it never touched nobody believes it.
  void touch(std::uint64_t bytes);
  /// So much of its memory is in use, it says from the next request on.
  void use(std::uint64_t bytes);
  /// It has to swap so much out, and has nothing available any more.
  void press(std::uint64_t bytes);
  /// It has what it needs again.
  void relieve();

 private:
  [[nodiscard]] std::vector<driver::StatEntry> stats() const;
  void follow();
  void note_progress();

  Sign sign_;
  Manner manner_;
  driver::GuestRam ram_;
  std::unique_ptr<driver::BalloonDriver> driver_;
  std::vector<Pfn> pages_;
  std::uint64_t inside_ = 0;   // the first so many pages are in the balloon
  std::uint64_t target_ = 0;   // pages
  std::uint64_t used_ = 0;     // bytes
  std::uint64_t swapped_ = 0;  // bytes, cumulative
  bool pressed_ = false;
  double pressed_ns_ = 0;
  std::uint64_t mark_ = 0;  // so few pages in the balloon are what it asked for
  double waited_ms_ = 0;
};

}  // namespace vballoon::perf
