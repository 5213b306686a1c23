// SPDX-License-Identifier: BSD-3-Clause
//
// Device 13 against a plain set: pages of two sizes at random, resets, pauses and lies among them.
// A failure names its seed; VBALLOON_MODEL_SEED replays it.
#include "harness/large_walk.hpp"

namespace vballoon::model {
namespace {

using wire::large::Feature;

LargeOptions options_of(std::mt19937_64& random) {
  LargeOptions options;
  const auto chance = [&random](unsigned percent) { return random() % 100 < percent; };
  for (const Feature f : {Feature::kRelease, Feature::kState, Feature::kPressure, Feature::kNode}) {
    if (chance(25)) options.features &= all_but_large({f});
  }
  if (chance(20)) options.features &= all_but({wire::Feature::kInOrder});
  options.depth = chance(50) ? 1 : static_cast<unsigned>(1 + random() % 20);
  options.max_pages = chance(50) ? 0 : static_cast<unsigned>(1 + random() % 300);
  options.queue_size = 1U << (2 + random() % 6);
  options.requests.buffers = static_cast<unsigned>(1 + random() % 3);
  options.wait = chance(50) ? driver::WaitMode::kSpin : driver::WaitMode::kInterrupt;
  options.timeout = std::chrono::seconds(60);
  return options;
}

class LargeWalkTest : public LargeTest {
 protected:
  void walk(LargeWalkOptions options) {
    const auto name = std::string("walk");
    LargeWalk vm(
        name, [this] { return show(); },
        must(driver::MessageSocket::connect(daemon_.socket(device_),
                                            driver::Deadline(std::chrono::seconds(5)))),
        std::move(options));
    const auto end = std::chrono::steady_clock::now() + walk_length();
    unsigned steps = 0;
    constexpr unsigned kLeast = 60;
    while ((steps < kLeast || std::chrono::steady_clock::now() < end) && !HasFailure()) {
      vm.step();
      ++steps;
      if (steps % 11 == 0) vm.expect_whole();
      if (steps % 37 == 0) vm.pause();
      if (steps % 53 == 0) vm.reboot();
    }
    vm.expect_whole();
    EXPECT_GT(vm.given(), 0U) << "no step gave a page";
    EXPECT_GT(vm.taken(), 0U) << "no step took one back";
    RecordProperty("steps", std::to_string(steps));
  }

  const std::uint64_t seed_ = test_seed();
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, "VBALLOON_MODEL_SEED=" + std::to_string(seed_)};
  std::mt19937_64 random_{seed_};
};

TEST_F(LargeWalkTest, AgreesWithAPlainSet) {
  walk({.driver = options_of(random_), .seed = seed_});
}

TEST_F(LargeWalkTest, ThePlainFormAgreesWithAPlainSet) {
  LargeOptions options = options_of(random_);
  options.features &= kPlainForm;
  walk({.driver = options, .seed = seed_});
}

TEST_F(LargeWalkTest, AgreesWithAPlainSetAmongLies) {
  walk({.driver = options_of(random_), .seed = seed_, .hostile = true});
}

}  // namespace
}  // namespace vballoon::model
