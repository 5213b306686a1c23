// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/engine/test_early_model.cpp - guests, a poll lcore and reclaim lcores, all at once,
//                                          over real memory: no page that is a guest's ever
//                                          changes.
// Sections 4 and 5 of the design; invariants 1, 2 and 3. VBALLOON_SEED and VBALLOON_STEPS choose
// another walk, or a longer one. A run is not repeated exactly by its seed: the threads take part.
// A test that waits for what never comes ends with the runner's timeout.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "model_guest.hpp"
#include "punchers.hpp"
#include "support/eal.hpp"
#include "support/running.hpp"

namespace vballoon::test {
namespace {

unsigned number_from(const char* variable, unsigned otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : otherwise;
}

template <typename T>
struct Named {
  const char* name;
  T value;
  friend void PrintTo(const Named& named, std::ostream* out) { *out << named.name; }
};
using Limits = Named<reclaim::ReclaimLimits>;
using Params = std::tuple<Named<bool>, Limits, Named<unsigned>, Named<Temper>>;

constexpr std::array<Named<bool>, 2> kTells{{{"Early", true}, {"Late", false}}};
constexpr std::array<Limits, 3> kWindows{
    {{"Smallest", {.ages = {.longest_us = 0, .long_runs_us = 0}, .window_pages = 1}},
     {"Short", {.ages = {.longest_us = 500, .long_runs_us = 50}, .window_pages = 300}},
     {"Largest", datapath::kNever}}};
constexpr std::array<Named<unsigned>, 3> kReclaimLcores{
    {{"Inline", 0}, {"OneLcore", 1}, {"TwoLcores", 2}}};
constexpr std::array<Named<Temper>, 3> kTempers{
    {{"Willing", Temper::kWilling}, {"Refusing", Temper::kRefusing}, {"Slow", Temper::kSlow}}};

/// One guest for each reclaim lcore, all on one poll lcore.
class Lab {
 public:
  Lab(unsigned seed, bool tells, const reclaim::ReclaimLimits& limits, unsigned reclaim_lcores,
      Temper temper)
      : puncher_(temper), random_(seed) {
    if (reclaim_lcores != 0) {
      need_eal();
      auto engine = reclaim::Engine::create(reclaim_lcores, puncher_);
      EXPECT_TRUE(engine.has_value());
      engine_ = std::move(*engine);
      poller_ = std::make_unique<lcore::RunningPoller>(*engine_);
    } else {
      poller_ = std::make_unique<lcore::RunningPoller>(puncher_, lcore::IdleStrategy::kBackoff);
    }
    for (unsigned i = 0; i < reclaim_lcores; ++i) {
      reclaims_.push_back(std::make_unique<lcore::RunningReclaim>(*engine_, i));
    }
    for (unsigned i = 0; i < std::max(1U, reclaim_lcores); ++i) {
      guests_.push_back(std::make_unique<ModelGuest>(random_(), tells, limits));
      attach(i);
    }
  }

  void walk(unsigned steps) {
    for (unsigned i = 0; i < steps; ++i) {
      const std::size_t which = random_() % guests_.size();
      if (!guests_[which]->step()) return;
      if (random_() % 40 == 0) disturb(which);
    }
  }

  void finish() {
    for (std::size_t i = 0; i < guests_.size(); ++i) {
      ModelGuest& guest = *guests_[i];
      guest.settle();
      detach(i);
      guest.check_population();
      Puncher willing(Temper::kWilling);
      reclaim::InlineSink here(willing);
      guest.device().path().discard_gathered(here);
      guest.check_all();
      EXPECT_GT(guest.returned(), 0U);
      failed_calls_ += guest.device().reclaimed().failed_calls.get();
    }
    EXPECT_EQ(failed_calls_, puncher_.refused);
    EXPECT_GT(puncher_.calls, 0U);
  }

  /// @pre nothing was refused or kept back.
  void check_given_back() {
    for (const auto& guest : guests_) guest->check_given_back();
  }
  [[nodiscard]] bool kept_any() const { return inhibited_any_; }

 private:
  void attach(std::size_t i) { poller_->attach(guests_[i]->device(), static_cast<unsigned>(i)); }
  void detach(std::size_t i) { poller_->detach(guests_[i]->device()); }

  /// What the VMM and the operator do to a guest.
  void disturb(std::size_t i) {
    ModelGuest& guest = *guests_[i];
    const unsigned what = static_cast<unsigned>(random_() % 8);
    if (what == 0) {
      inhibited_any_ = true;
      guest.device().path().inhibit(true);
      for (int step = 0; step < 20 && guest.step();) ++step;
      guest.device().path().inhibit(false);
      return;
    }
    if (what == 1) guest.settle();
    if (!guest.ok()) return;
    detach(i);
    if (what == 1) guest.check_population();
    if (what >= 2 && what < 4) guest.pause();
    if (what >= 4 && what < 6) guest.change_memory();
    if (what >= 6) guest.reset();
    guest.check_all();
    attach(i);
  }

  Puncher puncher_;
  std::mt19937 random_;
  std::unique_ptr<reclaim::Engine> engine_;
  std::vector<std::unique_ptr<ModelGuest>> guests_;
  std::vector<std::unique_ptr<lcore::RunningReclaim>> reclaims_;
  std::unique_ptr<lcore::RunningPoller> poller_;
  std::uint64_t failed_calls_ = 0;
  bool inhibited_any_ = false;
};

class EarlyModel : public testing::TestWithParam<Params> {};

TEST_P(EarlyModel, NoPageOfAGuestEverChanges) {
  const auto& [tells, window, reclaim_lcores, temper] = GetParam();
  const unsigned seed = number_from("VBALLOON_SEED", 1);
  SCOPED_TRACE("VBALLOON_SEED=" + std::to_string(seed));
  // Each combination walks a way of its own.
  const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
  std::seed_seq seeds(name.begin(), name.end());
  std::mt19937 random(seeds);
  Lab lab(seed + static_cast<unsigned>(random()), tells.value, window.value, reclaim_lcores.value,
          temper.value);
  lab.walk(number_from("VBALLOON_STEPS", 150));
  lab.finish();
  // A driver that does not tell keeps for good what came while discards were inhibited.
  const bool all_gone = temper.value != Temper::kRefusing && (tells.value || !lab.kept_any());
  if (all_gone) lab.check_given_back();
}

std::string name_of(const testing::TestParamInfo<Params>& chosen) {
  return std::apply([](const auto&... part) { return (std::string() + ... + part.name); },
                    chosen.param);
}

INSTANTIATE_TEST_SUITE_P(All, EarlyModel,
                         testing::Combine(testing::ValuesIn(kTells), testing::ValuesIn(kWindows),
                                          testing::ValuesIn(kReclaimLcores),
                                          testing::ValuesIn(kTempers)),
                         name_of);

}  // namespace
}  // namespace vballoon::test
