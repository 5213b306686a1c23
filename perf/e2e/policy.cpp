// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/policy.cpp - the real daemon with law balance: how long a guest that shows pressure waits for
// the last page of 512 MiB, and what 300 VMs at a turn a second cost.
//
// The guests are drivers of ours, all in this thread.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/daemon.hpp"
#include "support/figures.hpp"
#include "support/policy_guest.hpp"
#include "support/rounds.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kAsked = 512 * kMiB;
/// A host that is always short leaves guests no more than what they need, or this.
constexpr unsigned kFloorMib = 32;
constexpr std::chrono::seconds kPatience{60};

using Herd = std::vector<std::unique_ptr<PolicyGuest>>;

void serve_once(const Herd& herd) {
  for (const auto& guest : herd) {
    if (guest != nullptr) guest->serve();
  }
  std::this_thread::sleep_for(std::chrono::microseconds(200));
}

template <typename Condition>
void serve_until(const Herd& herd, std::string_view what, Condition done) {
  const driver::Deadline deadline(kPatience);
  while (!done()) {
    if (deadline.passed()) give_up(fmt::format("not within a minute: {}", what));
    serve_once(herd);
  }
}

/// @param keys  of each device.
MoreConfig short_host(const std::string& keys) {
  return {"[stats]\ninterval_ms = 0\n[policy]\nhost_pressure = \"none\"\nreserve_mib = 1000000\n",
          fmt::format("floor_mib = {}\n{}", kFloorMib, keys)};
}

/// Until the law has taken so much of each.
void wait_for_balloons(const Herd& herd, std::uint64_t bytes) {
  progress(fmt::format("{} balloons grow", herd.size()));
  serve_until(herd, "balloons that grow", [&herd, bytes] {
    return std::ranges::all_of(herd, [bytes](const auto& one) { return one->balloon() >= bytes; });
  });
}

/// One guest after the other, at any moment of the daemon's clock, each once: what a guest got it
/// keeps for a while.
void measure_reaction(Sign sign, unsigned guests, const std::string& name, Figures& figures) {
  const std::string messages = sign == Sign::kMessage ? "message_queue = true\n" : "";
  Daemon daemon(guests, Lcore::kPolls, short_host("automatic = true\n" + messages));
  Herd herd;
  attach_until(guests, daemon, herd, kGiB, sign);
  wait_for_balloons(herd, kGiB - 2 * kFloorMib * kMiB);
  std::minstd_rand chance(1);
  std::vector<double> waited_ms;
  for (auto& guest : herd) {
    const double at = now_ns() + 5e8 + static_cast<double>(chance() % 1000) * 1e6;
    while (now_ns() < at) serve_once(herd);
    guest->touch(2 * kAsked);
    guest->press(kAsked);
    serve_until(herd, "512 MiB handed back", [&guest] { return guest->waited_ms() > 0; });
    waited_ms.push_back(guest->waited_ms());
    guest.reset();
  }
  figures.set(fmt::format("policy.reaction_{}_p50_ms", name), median(waited_ms));
  figures.set(fmt::format("policy.reaction_{}_p99_ms", name), quantile(waited_ms, 0.99));
}

/// A daemon and its guests, some of which come under pressure now and then.
class Crowd {
 public:
  Crowd(unsigned guests, const std::string& keys)
      : daemon_(guests, Lcore::kSleeps, short_host(keys)) {
    attach_until(guests, daemon_, herd_, kBytes, Sign::kStatistics);
  }
  void settle() const { wait_for_balloons(herd_, kBytes / 2); }
  void serve() const { serve_once(herd_); }
  void press_some() {
    for (unsigned i = 0; i < kPressed; ++i) herd_[chance_() % herd_.size()]->press(kBytes / 4);
  }
  [[nodiscard]] double control_ns() const { return daemon_.control_ns(); }

 private:
  static constexpr std::uint64_t kBytes = 256 * kMiB;
  static constexpr unsigned kPressed = 10;

  Daemon daemon_;
  Herd herd_;
  std::minstd_rand chance_{1};
};

/// The same VMs with the law and without, side by side.
void measure_cost(unsigned guests, unsigned rounds, Figures& figures) {
  constexpr double kSpan = 4e9;
  Crowd automatic(guests, "automatic = true\n");
  Crowd manual(guests, "");
  automatic.settle();
  std::vector<double> with, without, difference;
  for (unsigned round = 0; round < rounds; ++round) {
    progress(fmt::format("cost of {} VMs: round {} of {}", guests, round + 1, rounds));
    automatic.press_some();
    manual.press_some();
    const double law = automatic.control_ns(), none = manual.control_ns(), began = now_ns();
    while (now_ns() < began + kSpan) {
      automatic.serve();
      manual.serve();
    }
    const double percent = 100 / (now_ns() - began);
    with.push_back((automatic.control_ns() - law) * percent);
    without.push_back((manual.control_ns() - none) * percent);
    difference.push_back(with.back() - without.back());
  }
  const std::string key = fmt::format("policy.cost_percent.{}", guests);
  figures.set(key, median(difference));
  figures.set(key + ".with", median(with));
  figures.set(key + ".without", median(without));
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  const Effort effort = effort_wanted(argc, argv);
  const bool quick = effort.rounds <= kLeastRounds;
  raise_file_limit();
  Figures figures;
  measure_reaction(Sign::kStatistics, quick ? 20 : 100, "statistics", figures);
  measure_reaction(Sign::kMessage, quick ? 20 : 100, "message", figures);
  measure_cost(300, effort.rounds, figures);
  figures.print();
}
