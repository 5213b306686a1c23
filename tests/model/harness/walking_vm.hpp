// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/walking_vm.hpp - a VM that inflates and deflates at random, and knows what
//                                      must be true of it whenever it rests.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "fixture.hpp"

namespace vballoon::model {

class WalkingVm {
 public:
  static constexpr std::uint64_t kCanary = 5;

  /// @param show  asks the daemon of it.
  WalkingVm(std::string name, std::function<Json()> show, driver::MessageSocket socket,
            DriverOptions options, std::uint64_t seed)
      : name_(std::move(name)), show_(std::move(show)), random_(seed) {
    driver_ = must(BalloonDriver::start(std::move(socket), ram_, of_this_run(std::move(options))));
    pages_ = usable_pages(ram_, *driver_);
    inside_.resize(pages_.size());
    driver::fill_canaries(ram_, pages_, kCanary);
  }

  [[nodiscard]] BalloonDriver& driver() { return *driver_; }
  [[nodiscard]] GuestRam& ram() { return ram_; }
  [[nodiscard]] std::span<const Pfn> pages() const { return pages_; }

  /// Inflates or deflates some pages and tells how many there are.
  void step() {
    const bool in = random_() % 3 != 0;
    const std::size_t run = 1 + random_() % 300;
    std::vector<Pfn> chosen;
    for (std::size_t at = random_() % pages_.size(); at < pages_.size() && chosen.size() < run;
         ++at) {
      if (inside_[at] == in) continue;
      chosen.push_back(pages_[at]);
      inside_[at] = in;
    }
    if (chosen.empty()) return;
    must(in ? driver_->inflate(chosen) : driver_->deflate(chosen));
    if (!in) driver::fill_canaries(ram_, chosen, kCanary);
    must(driver_->write_actual(static_cast<std::uint32_t>(inside(true).size())));
  }

  /// Its guest reboots: all pages are its own again, and in use.
  void reboot() {
    must(driver_->reset());
    inside_.assign(inside_.size(), false);
    driver::fill_canaries(ram_, pages_, kCanary);
  }

  /// Puts the first pages into the balloon; nothing comes out of it.
  void inflate_first(std::size_t count) {
    must(driver_->inflate(std::span(pages_).first(count)));
    std::fill_n(inside_.begin(), count, true);
    must(driver_->write_actual(static_cast<std::uint32_t>(count)));
  }

  /// The pages in the balloon, or the others.
  [[nodiscard]] std::vector<Pfn> inside(bool yes) const {
    std::vector<Pfn> found;
    for (std::size_t i = 0; i < pages_.size(); ++i) {
      if (inside_[i] == yes) found.push_back(pages_[i]);
    }
    return found;
  }
  [[nodiscard]] Json show() const { return show_(); }
  [[nodiscard]] std::uint64_t bytes(const char* what) const {
    return show().at(what).get<std::uint64_t>();
  }

  /// All that must be true of it once it rests.
  void expect_whole() {
    const std::vector<Pfn> in = inside(true);
    const std::uint64_t balloon = pages_to_bytes(in.size());
    EXPECT_TRUE(eventually([&] { return bytes("ballooned_bytes") == balloon; }))
        << name_ << ": " << bytes("ballooned_bytes") << " instead of " << balloon;
    EXPECT_EQ(bytes("actual_bytes"), balloon) << name_;
    EXPECT_EQ(driver_->queue(Role::kInflate).outstanding(), 0U);
    EXPECT_EQ(driver_->queue(Role::kDeflate).outstanding(), 0U);
    const driver::Violations found = driver_->violations();
    EXPECT_EQ(found.total(), 0U) << name_ << ": unknown id " << found.unknown_id
                                 << ", not outstanding " << found.not_outstanding << ", jumps "
                                 << found.index_jump << ", out of order " << found.out_of_order
                                 << ", without a call " << found.missing_call;
    const auto verdict = driver::check_canaries(ram_, inside(false), kCanary);
    EXPECT_EQ(verdict.changed, 0U) << name_ << ": of " << verdict.checked;
    const auto gone = [&] {
      return std::none_of(in.begin(), in.end(), [this](Pfn pfn) { return ram_.is_allocated(pfn); });
    };
    EXPECT_TRUE(eventually(gone)) << name_ << ": not all of its balloon is the host's";
  }

 private:
  std::string name_;
  std::function<Json()> show_;
  std::mt19937_64 random_;
  GuestRam ram_ = must(GuestRam::create(driver::ram_with_hole(16 * kMiB, 8 * kMiB, kMiB)));
  std::unique_ptr<BalloonDriver> driver_;
  std::vector<Pfn> pages_;
  std::vector<bool> inside_;
};

}  // namespace vballoon::model
