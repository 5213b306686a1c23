// SPDX-License-Identifier: BSD-3-Clause
//
// driver/pretend_guest.hpp - a guest with a stock balloon, in one process.
// Thread: one owner.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "driver/balloon_driver.hpp"
#include "driver/guest.hpp"

namespace vballoon::driver {

struct GuestOptions {
  GuestHabits habits;
  DriverOptions driver;
};

class PretendGuest final : public Guest {
 public:
  /// @errors as GuestRam::create and BalloonDriver::start.
  [[nodiscard]] static Result<std::unique_ptr<PretendGuest>> start(MessageSocket socket,
                                                                   GuestOptions options);

  [[nodiscard]] Violations violations() const override { return driver_->violations(); }

 private:
  PretendGuest(GuestRam ram, GuestHabits habits) : Guest(std::move(ram), std::move(habits)) {}
  void arrange_pages();
  [[nodiscard]] Result<void> check_enough(const Step& step) const;
  Result<void> perform(const Step& step) override;
  /// Not before: a reported page counts as given back until the guest writes to it again.
  void end_step() override { refill(std::exchange(reported_, {})); }
  void record(StepOutcome* outcome) override;
  [[nodiscard]] std::vector<Pfn> outside_the_balloon() const override;
  Result<void> inflate(std::uint64_t pages);
  Result<void> deflate(std::uint64_t pages);
  Result<void> report(std::uint64_t pages);
  [[nodiscard]] std::vector<GpaRange> free_ranges(std::uint64_t pages) const;
  Result<void> follow(std::chrono::milliseconds duration);
  Result<bool> approach_target();
  Result<void> reset();
  Result<void> pause(std::chrono::milliseconds duration);
  Result<void> write_actual();

  PagePool pool_{{}};
  std::span<const Pfn> reported_;  // of the pool, in the present step
  std::unique_ptr<BalloonDriver> driver_;
};

}  // namespace vballoon::driver
