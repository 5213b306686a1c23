// SPDX-License-Identifier: BSD-3-Clause
//
// tests/soak/honest_vm.hpp - the VM that does nothing wrong: its pages, and what it waits for.
// Thread: one owner.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "driver/balloon_driver.hpp"
#include "driver/guest_ram.hpp"
#include "driver/histogram.hpp"
#include "run_delay.hpp"

namespace vballoon::soak {

/// What it waited for, in one part of the run.
struct Waits {
  driver::Histogram inflate;         ///< a buffer of 256 pages: available published to used seen
  driver::Histogram inflate_on_cpu;  ///< less what its lcore and we waited for a cpu: at least this
  driver::Histogram deflate;         ///< as inflate
  driver::Histogram config;  ///< a read of the configuration space: the event thread's answer
};

class HonestVm {
 public:
  /// @param lcore  of the poll lcore that serves it. @errors throws.
  HonestVm(const std::string& socket, RunDelay lcore);

  /// 256 pages go into the balloon, 256 that were in it longest come out. What it finds wrong is
  /// kept, and it goes on.
  void turn(Waits* waits);
  /// Every page outside the balloon.
  void check_all();

  [[nodiscard]] std::uint64_t changed_pages() const noexcept { return changed_; }
  [[nodiscard]] std::uint64_t checked_pages() const noexcept { return checked_; }
  /// Buffers that did not come back, or twice, or that were never sent; and config reads in vain.
  [[nodiscard]] std::uint64_t violations() const { return lost_ + driver_->violations().total(); }
  [[nodiscard]] std::uint64_t buffers() const noexcept { return buffers_; }
  [[nodiscard]] const std::string& first_complaint() const noexcept { return complaint_; }

 private:
  void check(std::span<const Pfn> pages);
  void expect(const Result<void>& done);
  [[nodiscard]] std::span<const Pfn> chunk(std::size_t index) const;

  void inflate(std::span<const Pfn> pages, Waits* waits);

  RunDelay lcore_;
  RunDelay own_{"/proc/thread-self/schedstat"};
  driver::GuestRam ram_;
  std::unique_ptr<driver::BalloonDriver> driver_;
  std::vector<Pfn> pages_;
  std::size_t next_ = 0;    // chunks that went in so far
  std::size_t inside_ = 0;  // chunks that are in
  std::uint64_t changed_ = 0;
  std::uint64_t checked_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t buffers_ = 0;
  std::string complaint_;
};

}  // namespace vballoon::soak
