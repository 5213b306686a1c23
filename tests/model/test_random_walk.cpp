// SPDX-License-Identifier: BSD-3-Clause
//
// Random inflate, deflate, report, hint, pause, reset, reconnect, memory plug: the daemon against a
// plain set (design, section 5, 1 to 3). A failure names its seed; VBALLOON_MODEL_SEED replays it.
#include <algorithm>
#include <random>
#include <utility>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using wire::Feature;

class Walk : public DaemonTest {
 protected:
  static constexpr std::uint64_t kCanary = 99;

  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }
  bool chance(unsigned percent) { return below(100) < percent; }

  DriverOptions random_options() {
    DriverOptions o;
    for (const Feature f : {Feature::kMustTellHost, Feature::kStatsVq, Feature::kReporting,
                            Feature::kFreePageHint, Feature::kIndirectDesc, Feature::kInOrder}) {
      if (chance(25)) o.features &= all_but({f});
    }
    o.depth = chance(50) ? 1 : static_cast<unsigned>(1 + below(40));
    o.batch_pages = chance(50) ? 256 : static_cast<unsigned>(1 + below(600));
    o.queue_size = 1U << (2 + below(7));
    if (packed_run()) o.queue_size += static_cast<unsigned>(below(o.queue_size));
    o.wait = chance(50) ? driver::WaitMode::kSpin : driver::WaitMode::kInterrupt;
    o.indirect = static_cast<driver::Indirect>(below(3));
    return of_this_run(o);
  }

  void begin() {
    if (chance(50)) offer_indirect();
    const std::uint64_t megabytes = 16 + 2 * below(9);
    ram_ = must(GuestRam::create(
        chance(50) ? driver::flat_ram(megabytes * kMiB)
                   : driver::ram_with_hole(megabytes * kMiB, 8 * kMiB, kMiB * (1 + below(32)))));
    meet();
  }

  /// A new connection: all pages are the guest's.
  void meet() {
    driver_.reset();
    driver_ = connect(random_options());
    forget_balloon();
  }

  void forget_balloon() {
    inside_.clear();
    pages_ = usable_pages(ram_, *driver_);
    driver::fill_canaries(ram_, pages_, kCanary);
  }

  /// Free pages as a fragmented guest would give them: runs, up or down, or single ones.
  std::vector<Pfn> choose(bool inside, std::size_t limit) {
    std::vector<Pfn> chosen;
    const std::size_t wanted = 1 + below(limit);
    for (std::size_t tries = 0; chosen.size() < wanted && tries < 50; ++tries) {
      const std::size_t run = chance(50) ? 1 + below(4) : 1 + below(700);
      const std::size_t start = below(pages_.size());
      for (std::size_t i = start; i < std::min(start + run, pages_.size()); ++i) {
        if (inside_.contains(pages_[i]) == inside) chosen.push_back(pages_[i]);
      }
    }
    std::sort(chosen.begin(), chosen.end());
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
    if (chance(30)) std::reverse(chosen.begin(), chosen.end());
    if (chance(30)) std::shuffle(chosen.begin(), chosen.end(), random_);
    return chosen;
  }

  void inflate() {
    const auto chosen = choose(false, 2000);
    must(driver_->inflate(chosen));
    inside_.insert(chosen.begin(), chosen.end());
    given_ += chosen.size();
  }

  void deflate() {
    const auto chosen = choose(true, 2000);
    must(driver_->deflate(chosen));
    for (const Pfn pfn : chosen) inside_.erase(pfn);
    taken_ += chosen.size();
    driver::fill_canaries(ram_, chosen, kCanary);
  }

  void compact() {
    for (std::size_t i = 0; i < 20 && !inside_.empty(); ++i) {
      const auto fresh = choose(false, 1);
      if (fresh.empty()) return;
      must(driver_->inflate(std::span(fresh).first(1)));
      const std::vector<Pfn> old{*inside_.begin()};
      inside_.insert(fresh.front());
      must(driver_->deflate(old));
      inside_.erase(old.front());
      driver::fill_canaries(ram_, old, kCanary);
    }
  }

  void report() {
    if (!driver_->queue_number(Role::kReport)) return;
    const auto chosen = choose(false, 1500);
    auto ranges = ranges_of(chosen);
    ranges.resize(std::min(ranges.size(), ranges_that_fit()));
    if (ranges.empty()) return;
    must(driver_->report(ranges));
    for (const GpaRange& range : ranges) {
      const Pfn first{static_cast<std::uint32_t>(bytes_to_pages(range.first.value))};
      EXPECT_FALSE(ram_.is_allocated(first)) << "reported, used, and still there";
      for (std::uint32_t i = 0; i < bytes_to_pages(range.bytes); ++i) {
        driver::fill_canary(ram_.page(Pfn{first.value + i}), kCanary, Pfn{first.value + i});
      }
    }
  }

  /// A direct chain must fit into the ring.
  std::size_t ranges_that_fit() {
    return std::min<std::size_t>(32, driver_->queue(Role::kReport).size());
  }

  static std::vector<GpaRange> ranges_of(std::vector<Pfn> pages) {
    std::sort(pages.begin(), pages.end());
    std::vector<GpaRange> ranges;
    for (const Pfn pfn : pages) {
      const Gpa gpa = to_gpa(pfn);
      if (!ranges.empty() && ranges.back().first.value + ranges.back().bytes == gpa.value) {
        ranges.back().bytes += kPageSize;
      } else {
        ranges.push_back({gpa, kPageSize});
      }
    }
    return ranges;
  }

  void hint() {
    if (!driver_->queue_number(Role::kHint)) return;
    auto ranges = ranges_of(choose(false, 500));
    ranges.resize(std::min<std::size_t>(ranges.size(), 10));
    static constexpr std::array kActions{"start", "stop", "done"};
    command_hints(kActions[below(kActions.size())]);
    must(driver_->hint(ranges));
  }

  void pause() {
    must(driver_->pause());
    must(driver_->resume());
  }

  void reset() {
    must(driver_->reset(random_options()));
    forget_balloon();
  }

  void plug() {
    const Gpa at{kGiB};
    if (ram_.map().find(at) == nullptr) {
      must(ram_.plug(at, 4 * kMiB));
    } else {
      must(ram_.unplug(at));
      std::erase_if(inside_, [at](Pfn pfn) { return to_gpa(pfn) >= at; });
    }
    must(driver_->update_memory());
    const std::vector<Pfn> before = std::exchange(pages_, usable_pages(ram_, *driver_));
    if (pages_.size() > before.size()) {
      driver::fill_canaries(ram_, std::span(pages_).subspan(before.size()), kCanary);
    }
  }

  void step() {
    const std::size_t dice = below(100);
    if (dice < 35) return inflate();
    if (dice < 62) return deflate();
    if (dice < 72) return report();
    if (dice < 80) return compact();
    if (dice < 84) return hint();
    if (dice < 88) return pause();
    if (dice < 92) return plug();
    if (dice < 97) return reset();
    meet();
  }

  void check() {
    must(driver_->write_actual(static_cast<std::uint32_t>(inside_.size())));
    expect_ballooned(inside_.size());
    EXPECT_EQ(show().at("actual_bytes"), pages_to_bytes(inside_.size()));
    std::vector<Pfn> outside;
    std::copy_if(pages_.begin(), pages_.end(), std::back_inserter(outside),
                 [this](Pfn pfn) { return !inside_.contains(pfn); });
    expect_untouched(outside, kCanary);
    expect_gone_soon(std::vector<Pfn>(inside_.begin(), inside_.end()));
    expect_no_violations(*driver_);
    EXPECT_EQ(counter("bad_chains"), 0U);
    EXPECT_EQ(counter("outside_memory"), 0U);
    EXPECT_EQ(counter("already_ballooned"), 0U);
    EXPECT_EQ(counter("not_ballooned"), 0U);
  }

  std::mt19937_64 random_;
  std::unique_ptr<BalloonDriver> driver_;
  std::vector<Pfn> pages_;
  std::set<Pfn> inside_;
  std::size_t given_ = 0, taken_ = 0;  // pages, in all
};

TEST_F(Walk, AgreesWithAPlainSet) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(testing::Message() << "VBALLOON_MODEL_SEED=" << seed);
  random_.seed(seed);
  begin();
  const auto end = std::chrono::steady_clock::now() + walk_length();
  unsigned steps = 0;
  // However slow the machine, as many as meet every kind of step but the rarest.
  constexpr unsigned kLeast = 50;
  while ((steps < kLeast || std::chrono::steady_clock::now() < end) && !HasFailure()) {
    step();
    if (++steps % 7 == 0) check();
  }
  check();
  EXPECT_GT(given_, 0U) << "no step gave a page";
  EXPECT_GT(taken_, 0U) << "no step took one back";
  RecordProperty("steps", std::to_string(steps));
}

}  // namespace
}  // namespace vballoon::model
