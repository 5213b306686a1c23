// SPDX-License-Identifier: BSD-3-Clause
//
// driver/large_guest.hpp - a guest with a balloon of large pages, in one process.
// Thread: one owner.
// Source: docs/device-13.md: DRV-8, DRV-9, DRV-14, DRV-19, DRV-22.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "driver/guest.hpp"
#include "driver/large_balloon_driver.hpp"
#include "driver/large_pool.hpp"

namespace vballoon::driver {

struct LargeGuestOptions {
  GuestHabits habits;
  LargeOptions driver;
  std::vector<std::uint64_t> sizes;  ///< of its pages, in bytes; empty: all that the device takes
};

class LargeGuest final : public Guest {
 public:
  /// @errors as GuestRam::create and LargeBalloonDriver::start; kInvalidArgument for a size that
  ///         the device does not take.
  [[nodiscard]] static Result<std::unique_ptr<LargeGuest>> start(MessageSocket socket,
                                                                 LargeGuestOptions options);

  [[nodiscard]] Violations violations() const override { return driver_->violations(); }

 private:
  LargeGuest(GuestRam ram, GuestHabits habits) : Guest(std::move(ram), std::move(habits)) {}
  Result<void> choose_sizes(const std::vector<std::uint64_t>& wanted);
  void arrange_pages();
  [[nodiscard]] Result<void> check_enough(const Step& step) const;
  Result<void> perform(const Step& step) override;
  void record(StepOutcome* outcome) override;
  [[nodiscard]] std::vector<Pfn> outside_the_balloon() const override;

  /// @return bytes that found no page.
  Result<std::uint64_t> inflate(std::uint64_t bytes);
  /// @return bytes that the device has kept.
  Result<std::uint64_t> deflate(std::uint64_t bytes);
  Result<std::uint64_t> release(std::uint64_t bytes);
  void take_back(std::span<const Gpa> pages, unsigned shift);
  Result<void> give_all_back();
  Result<void> follow(std::chrono::milliseconds duration);
  Result<bool> approach(std::uint64_t target);
  Result<bool> withdraw_towards(std::uint64_t bytes);
  Result<bool> rest(wire::large::Reason reason);
  Result<void> reset();
  Result<void> pause(std::chrono::milliseconds duration);

  std::unique_ptr<LargeBalloonDriver> driver_;
  std::vector<unsigned> shifts_;  // of its pages, the largest first
  std::optional<LargePool> pool_;
  LargePageSet out_of_use_;                 // refused before a reset (DRV-23)
  std::uint64_t refused_ = 0;               // bytes, in the present step
  std::optional<std::uint64_t> told_;       // the RESIZE that the last STATE was of
  std::optional<Deadline> withheld_until_;  // DRV-14
};

}  // namespace vballoon::driver
