// SPDX-License-Identifier: BSD-3-Clause
//
// driver/pretend_guest.hpp - RAM, a balloon driver and the habits of a guest, in one process.
// Thread: one owner.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "driver/balloon_driver.hpp"
#include "driver/canary.hpp"
#include "driver/guest_ram.hpp"
#include "driver/page_pool.hpp"
#include "driver/step.hpp"

namespace vballoon::driver {

struct GuestOptions {
  RamPlan ram;
  DriverOptions driver;
  PageOrder order;
  std::uint64_t seed = 1;
  bool canaries = false;  ///< a pattern in every page outside the balloon, checked after each step
  bool touch = true;      ///< have all memory allocated before the first step
};

/// What one step did. Sizes in bytes.
struct StepOutcome {
  std::string step;
  double seconds = 0;
  std::array<std::uint64_t, kRoles> pages{};  ///< of 4 KiB, by queue
  std::uint64_t buffers = 0;
  std::uint64_t ballooned_bytes = 0;
  std::uint64_t allocated_before = 0;  ///< by the host, for the guest's RAM
  std::uint64_t allocated_after = 0;   ///< once no more of it went
  double settle_seconds = 0;           ///< from the last used buffer until then
  Histogram latency;                   ///< of the step's buffers
  CanaryVerdict canaries;
};

class PretendGuest {
 public:
  /// @errors as GuestRam::create and BalloonDriver::start.
  [[nodiscard]] static Result<std::unique_ptr<PretendGuest>> start(MessageSocket socket,
                                                                   GuestOptions options);

  Result<StepOutcome> run(const Step& step);

  [[nodiscard]] BalloonDriver& driver() noexcept { return *driver_; }
  [[nodiscard]] const GuestRam& ram() const noexcept { return ram_; }
  [[nodiscard]] const PagePool& pool() const noexcept { return pool_; }

 private:
  PretendGuest(GuestRam ram, GuestOptions options);
  void arrange_pages();
  void settle(StepOutcome* outcome) const;
  [[nodiscard]] Result<void> check_enough(const Step& step) const;
  Result<void> perform(const Step& step);
  Result<void> inflate(std::uint64_t pages);
  Result<void> deflate(std::uint64_t pages);
  Result<void> report(std::uint64_t pages);
  [[nodiscard]] std::vector<GpaRange> free_ranges(std::uint64_t pages) const;
  Result<void> follow(std::chrono::milliseconds duration);
  Result<bool> approach_target();
  Result<void> reset();
  Result<void> pause(std::chrono::milliseconds duration);
  Result<void> write_actual();
  void refill(std::span<const Pfn> pages);

  GuestOptions options_;
  GuestRam ram_;
  PagePool pool_;
  std::span<const Pfn> reported_;  // of the pool, in the present step
  std::unique_ptr<BalloonDriver> driver_;
};

}  // namespace vballoon::driver
