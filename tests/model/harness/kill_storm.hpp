// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/kill_storm.hpp - a daemon that is killed again and again, at random moments,
//                                      while its VMs go on.
// Thread: one for each VM; the caller kills.
#pragma once

#include <signal.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "growth.hpp"
#include "kept_daemon.hpp"

namespace vballoon::model {

/// How many kills a storm has: VBALLOON_MODEL_KILLS, or by default this many.
[[nodiscard]] inline unsigned kills_wanted(unsigned by_default) {
  const char* const text = std::getenv("VBALLOON_MODEL_KILLS");
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : by_default;
}

class KillStorm {
 public:
  KillStorm(const KeptDaemon& daemon, std::uint64_t seed, unsigned kills)
      : daemon_(daemon), seed_(seed), kills_(kills) {}

  /// Each VM does its turns on a thread of its own meanwhile. A turn that throws fails the test.
  /// Neither daemon nor keeper grows. @param turn  (Vm&, its number) -> void
  template <typename Vm, typename Turn>
  void over(const std::vector<std::unique_ptr<Vm>>& vms, Turn turn) const {
    daemon_.replace(SIGKILL);
    const Growth growth(daemon_);
    std::vector<std::function<void(unsigned)>> turns;
    for (const auto& vm : vms) {
      turns.push_back([one = vm.get(), turn](unsigned i) { turn(*one, i); });
    }
    rage(turns);
    growth.expect_none();
  }
  /// One front end does this again and again meanwhile.
  void over_one(const std::function<void()>& turn) const {
    rage({[&turn](unsigned) { turn(); }});
  }

 private:
  using Turn = std::function<void(unsigned)>;

  void rage(const std::vector<Turn>& turns) const {
    std::atomic<bool> end{false};
    std::atomic<unsigned> failed{0};
    {
      std::vector<std::jthread> guests;
      for (const Turn& turn : turns) {
        guests.emplace_back([&end, &failed, &turn] {
          try {
            for (unsigned i = 0; !end; ++i) turn(i);
          } catch (const std::exception& error) {
            ++failed;
            std::fprintf(stderr, "a guest: %s\n", error.what());
          }
        });
      }
      kill_again_and_again(failed);
      end = true;
    }
    EXPECT_EQ(failed, 0U);
  }
  void kill_again_and_again(const std::atomic<unsigned>& failed) const {
    std::mt19937_64 random(seed_);
    for (unsigned round = 0; round < kills_ && failed == 0; ++round) {
      const pid_t old = daemon_.pid();
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 900));
      ::kill(old, SIGKILL);
      if (random() % 2 == 0) daemon_.await_successor_of(old);
    }
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }

  const KeptDaemon& daemon_;
  const std::uint64_t seed_;
  const unsigned kills_;
};

}  // namespace vballoon::model
