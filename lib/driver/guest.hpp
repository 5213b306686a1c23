// SPDX-License-Identifier: BSD-3-Clause
//
// driver/guest.hpp - RAM and the habits of a guest with a balloon of any kind: it does steps, and
// says what each did.
// Thread: one owner.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "driver/canary.hpp"
#include "driver/guest_ram.hpp"
#include "driver/histogram.hpp"
#include "driver/page_pool.hpp"
#include "driver/step.hpp"
#include "driver/violations.hpp"

namespace vballoon::driver {

struct GuestHabits {
  RamPlan ram;
  PageOrder order;
  std::uint64_t seed = 1;
  bool canaries = false;  ///< a pattern in every page outside the balloon, checked after each step
  bool touch = true;      ///< have all memory allocated before the first step
};

/// Pages that went one way in a step.
struct Moved {
  std::string_view way;
  std::uint64_t pages = 0;
  std::uint64_t bytes = 0;
};

/// What one step did. Sizes in bytes.
struct StepOutcome {
  std::string step;
  double seconds = 0;
  std::vector<Moved> moved;         ///< a row for each way that the kind of balloon has
  std::uint64_t refused_bytes = 0;  ///< that the guest wanted back, and the device has kept
  std::uint64_t buffers = 0;
  std::uint64_t ballooned_bytes = 0;
  std::uint64_t allocated_before = 0;  ///< by the host, for the guest's RAM
  std::uint64_t allocated_after = 0;   ///< once no more of it went
  double settle_seconds = 0;           ///< from the last used buffer until then
  Histogram latency;                   ///< of the step's buffers
  CanaryVerdict canaries;

  [[nodiscard]] std::uint64_t moved_bytes() const noexcept;
};

class Guest {
 public:
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  virtual ~Guest() = default;

  Result<StepOutcome> run(const Step& step);
  [[nodiscard]] virtual Violations violations() const = 0;
  [[nodiscard]] const GuestRam& ram() const noexcept { return ram_; }

 protected:
  Guest(GuestRam ram, GuestHabits habits) : habits_(std::move(habits)), ram_(std::move(ram)) {}

  [[nodiscard]] const GuestHabits& habits() const noexcept { return habits_; }
  /// Has the host allocate these pages and, where the guest has canaries, hold them.
  void touch_all(std::span<const Pfn> pages);
  /// These pages are the guest's again, and in use.
  void refill(std::span<const Pfn> pages);

  virtual Result<void> perform(const Step& step) = 0;
  /// The host's memory has settled, so what is the guest's by contract may be written to.
  virtual void end_step() {}
  /// Adds what moved, in how many buffers, and how large the balloon is.
  virtual void record(StepOutcome* outcome) = 0;
  /// Pages that hold canaries.
  [[nodiscard]] virtual std::vector<Pfn> outside_the_balloon() const = 0;

 private:
  void settle(StepOutcome* outcome) const;

  GuestHabits habits_;
  GuestRam ram_;
};

}  // namespace vballoon::driver
