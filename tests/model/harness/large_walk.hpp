// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/large_walk.hpp - a VM with a balloon of large pages that does what comes to
//                                      it, sizes mixed, and knows what must be true when it rests.
#pragma once

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "large_fixture.hpp"

namespace vballoon::model {

struct LargeWalkOptions {
  driver::RamPlan ram = driver::ram_with_hole(24 * kMiB, 8 * kMiB, 4 * kMiB);
  LargeOptions driver{};
  std::uint64_t seed = 0;
  bool hostile = false;  ///< messages that no driver sends are among its own
  /// A host that may run out of memory for it, in pages of 2 MiB: what is refused stays inside.
  bool short_answers = false;
};

class LargeWalk {
 public:
  static constexpr std::uint64_t kCanary = 13;

  /// @param show  asks the daemon of it.
  LargeWalk(std::string name, std::function<Json()> show, driver::MessageSocket socket,
            LargeWalkOptions options)
      : name_(std::move(name)),
        show_(std::move(show)),
        options_(std::move(options)),
        random_(options_.seed),
        ram_(must(GuestRam::create(options_.ram))) {
    driver_ =
        must(LargeBalloonDriver::start(std::move(socket), ram_, of_this_run(options_.driver)));
    for (const Pfn pfn : ram_.pages()) {
      if (!driver_->arena().holds(pfn)) pages_.push_back(pfn);
    }
    driver::fill_canaries(ram_, pages_, kCanary);
  }

  [[nodiscard]] LargeBalloonDriver& driver() { return *driver_; }
  [[nodiscard]] GuestRam& ram() { return ram_; }
  /// Pages that moved, of any size.
  [[nodiscard]] std::uint64_t given() const { return given_; }
  [[nodiscard]] std::uint64_t taken() const { return taken_; }

  void step() {
    const std::uint64_t dice = below(100);
    if (dice < 45) return add();
    if (dice < 75) return withdraw();
    if (dice < 85) return release();
    if (dice < 92) return say();
    if (options_.hostile) return lie();
    add();
  }

  /// Its guest reboots: all pages are its own again, and in use. What the device may refuse comes
  /// back before, or is left alone.
  void reboot() {
    must(driver_->reset());
    driver::fill_canaries(ram_, pages_, kCanary);
  }
  void pause() {
    must(driver_->pause());
    must(driver_->resume());
  }

  [[nodiscard]] std::uint64_t bytes(const char* what) const {
    return show_().at(what).get<std::uint64_t>();
  }
  /// Pages of 4 KiB outside of the balloon.
  [[nodiscard]] std::vector<Pfn> outside() const {
    const std::vector<Pfn> inside = driver::small_pages(driver_->balloon().pages());
    std::vector<Pfn> pages = pages_;
    std::erase_if(pages, [&](Pfn pfn) { return std::ranges::binary_search(inside, pfn); });
    return pages;
  }

  /// All that must be true of it once it rests.
  void expect_whole() {
    const std::uint64_t balloon = driver_->balloon().bytes();
    EXPECT_TRUE(eventually([&] { return bytes("ballooned_bytes") == balloon; }))
        << name_ << ": " << bytes("ballooned_bytes") << " instead of " << balloon;
    EXPECT_EQ(driver_->queue(Role::kToDevice).outstanding(), 0U) << name_;
    const driver::Violations found = driver_->violations();
    EXPECT_EQ(found.total(), 0U) << name_ << ": not outstanding " << found.not_outstanding
                                 << ", out of order " << found.out_of_order << ", without a call "
                                 << found.missing_call << ", lengths " << found.bad_length
                                 << ", not in the balloon " << found.not_in_balloon;
    const auto verdict = driver::check_canaries(ram_, outside(), kCanary);
    EXPECT_EQ(verdict.changed, 0U)
        << name_ << ": of " << verdict.checked << ", first pfn " << verdict.first_changed.value;
    const std::uint64_t most = pages_to_bytes(outside().size()) + driver_->arena().range().bytes;
    EXPECT_TRUE(eventually([&] { return ram_.allocated_bytes() <= rounded(most); }))
        << name_ << ": the host has " << ram_.allocated_bytes() << " of at most " << most;
  }

 private:
  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : random_() % n; }
  [[nodiscard]] std::uint64_t rounded(std::uint64_t bytes) const {
    const std::uint64_t unit = std::max(options_.ram.huge_page, kPageSize);
    return (bytes + unit - 1) / unit * unit;
  }
  unsigned some_shift() {
    const auto sizes = driver_->sizes();
    return sizes[below(sizes.size())];
  }

  /// Free pages of this size that lie together, or anywhere.
  std::vector<Gpa> choose_free(unsigned shift, std::size_t most) {
    const std::vector<Pfn> inside = driver::small_pages(driver_->balloon().pages());
    const auto is_free = [&](Gpa page) {
      if (driver_->ram().at(page, std::uint64_t{1} << shift).empty()) return false;
      const auto first = static_cast<std::uint32_t>(bytes_to_pages(page.value));
      const auto count = static_cast<std::uint32_t>(1U << (shift - kSmallShift));
      const auto next = std::ranges::lower_bound(inside, Pfn{first});
      if (next != inside.end() && next->value < first + count) return false;
      return !driver_->arena().holds(Pfn{first});
    };
    std::vector<Gpa> chosen;
    for (std::size_t tries = 0; tries < 8 && chosen.size() < most; ++tries) {
      std::uint64_t at = to_gpa(pages_[below(pages_.size())]).value >> shift << shift;
      const std::size_t run = 1 + below(2) * below(most);
      for (std::size_t i = 0; i < run && chosen.size() < most;
           ++i, at += std::uint64_t{1} << shift) {
        if (is_free(Gpa{at}) && std::ranges::find(chosen, Gpa{at}) == chosen.end()) {
          chosen.push_back(Gpa{at});
        }
      }
    }
    return chosen;
  }

  void add() {
    const unsigned shift = some_shift();
    const auto pages = choose_free(shift, 1 + below(shift == kSmallShift ? 300 : 4));
    must(driver_->add(pages, shift));
    given_ += pages.size();
  }
  void fill(std::span<const Gpa> pages, unsigned shift) {
    driver::fill_canaries(ram_, pfns_of(pages, shift), kCanary);
    taken_ += pages.size();
  }
  void withdraw() {
    const unsigned shift = some_shift();
    const std::size_t there = driver_->balloon().count(shift);
    const std::size_t wanted = 1 + below(shift == kSmallShift ? 400 : 5);
    const auto back = must(driver_->withdraw(wanted, shift));
    if (!options_.short_answers) {
      EXPECT_EQ(back.size(), std::min(there, wanted)) << name_ << ", shift " << shift;
    }
    fill(back, shift);
  }
  void release() {
    const unsigned shift = some_shift();
    auto pages = driver_->balloon().pages(shift);
    if (pages.empty() || !driver_->took(wire::large::Feature::kRelease)) return;
    std::shuffle(pages.begin(), pages.end(), random_);
    pages.resize(1 + below(std::min<std::size_t>(pages.size(), 40)));
    const std::size_t done = must(driver_->release(pages, shift));
    if (!options_.short_answers) {
      EXPECT_EQ(done, pages.size()) << name_;
    }
    fill(std::span(pages).first(done), shift);
  }
  void say() {
    if (driver_->took(wire::large::Feature::kState)) {
      must(driver_->send_state(wire::large::Reason::kWorking, {.size = random_()}));
    }
    must(driver_->send_stats());
  }
  /// Nothing of this may change the balloon.
  void lie() {
    const unsigned shift = some_shift();
    // Far away, unaligned, in the hole of ram_with_hole().
    std::vector<Gpa> pages{Gpa{random_()}, Gpa{1 + (random_() >> shift << shift)}, Gpa{8 * kMiB}};
    for (const LargePage& page : driver_->balloon().pages()) {
      if (below(50) == 0) pages.push_back(page.at);
    }
    pages.resize(std::min<std::size_t>(pages.size(), 100));
    pages[0].value |= std::uint64_t{1} << 50;
    auto bytes = pages_message(shift, pages);
    if (below(4) == 0) bytes.resize(below(bytes.size()) + 1);
    if (below(4) == 0) bytes[0] = static_cast<std::byte>(5 + below(250));
    if (below(4) == 0) bytes[1] = static_cast<std::byte>(31 + below(200));
    const bool both = below(4) == 0 && bytes.size() > 16;
    static_cast<void>(must(driver_->exchange(bytes, both ? 24 : 0)));
  }

  std::string name_;
  std::function<Json()> show_;
  LargeWalkOptions options_;
  std::mt19937_64 random_;
  GuestRam ram_;
  std::unique_ptr<LargeBalloonDriver> driver_;
  std::vector<Pfn> pages_;
  std::uint64_t given_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace vballoon::model
