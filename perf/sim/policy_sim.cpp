// SPDX-License-Identifier: BSD-3-Clause
//
// sim/policy_sim.cpp - runs no law, `pressure` and `balance` over all traces in virtual time. One
// JSON array to standard output, which perf/policy-sim prints and draws: a run each.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "policy/balance_law.hpp"
#include "policy/pressure_law.hpp"
#include "sim/traces.hpp"

namespace vballoon::sim {
namespace {

using nlohmann::json;

constexpr Time kLook{1000};

std::unique_ptr<policy::Law> law_named(const std::string& name) {
  if (name == "pressure") return std::make_unique<policy::PressureLaw>(policy::PressureSettings());
  if (name == "balance") return std::make_unique<policy::BalanceLaw>();
  return nullptr;
}

double mib(std::uint64_t bytes) {
  return static_cast<double>(bytes) / static_cast<double>(kMiB);
}

/// How much of what its programs want a guest has, for its weight, over the run.
class Contentment {
 public:
  explicit Contentment(std::size_t guests) : sums_(guests) {}
  void look(const std::vector<Guest>& guests) {
    for (std::size_t i = 0; i < guests.size(); ++i) {
      const double wanted = static_cast<double>(guests[i].wanted());
      const double has = static_cast<double>(guests[i].anon() + guests[i].habits().kernel);
      sums_[i] += std::min(1.0, has / wanted);
    }
    ++looks_;
  }
  /// The best of guests of one weight against the worst, in per cent; faulty ones do not count.
  [[nodiscard]] double unfairness(const std::vector<Guest>& guests) const {
    std::map<std::uint64_t, std::pair<double, double>> by_weight;  // lowest, highest
    double most = 0;
    for (std::size_t i = 0; i < guests.size(); ++i) {
      if (guests[i].habits().fault != Fault::kNone) continue;
      const double mean = sums_[i] / looks_;
      auto& [low, high] =
          by_weight.try_emplace(guests[i].habits().limits.weight, mean, mean).first->second;
      low = std::min(low, mean);
      high = std::max(high, mean);
      most = std::max(most, high - low);
    }
    return 100 * most;
  }

 private:
  std::vector<double> sums_;
  double looks_ = 0;
};

/// Memory over time, in MiB.
json curve(const Host& host) {
  json guests = json::array();
  std::uint64_t swapped = 0;
  for (const Guest& guest : host.guests()) {
    guests.push_back(mib(guest.present()));
    swapped += guest.on_host_swap();
  }
  return {{"s", host.now().count() / 1000},
          {"guests", guests},
          {"others", mib(host.habits().others(host.now()))},
          {"swapped", mib(swapped)}};
}

json totals(const Host& host, const Contentment& contentment, Time length) {
  GuestCounters all;
  std::uint64_t honest = 0;
  for (const Guest& guest : host.guests()) {
    if (guest.habits().fault != Fault::kNone) continue;
    ++honest;
    all.swapped_in += guest.counters().swapped_in;
    all.swapped_out += guest.counters().swapped_out;
    all.below_need_ms += guest.counters().below_need_ms;
  }
  const double seconds = static_cast<double>(length.count()) / 1000;
  const double vm_seconds = seconds * static_cast<double>(honest);
  const HostCounters& counters = host.counters();
  return {{"host_swap_in_mib", mib(counters.swapped_in)},
          {"host_swap_out_mib", mib(counters.swapped_out)},
          {"guest_swap_in_mib", mib(all.swapped_in)},
          {"guest_swap_out_mib", mib(all.swapped_out)},
          {"below_need_percent", static_cast<double>(all.below_need_ms) / 10 / vm_seconds},
          {"short_percent", static_cast<double>(counters.short_ms) / 10 / seconds},
          {"moves_per_vm_minute", static_cast<double>(counters.moves) * 60 / seconds /
                                      static_cast<double>(host.guests().size())},
          {"reversals", counters.reversals},
          {"unfairness_percent", contentment.unfairness(host.guests())}};
}

json run(const Trace& trace, const std::string& name) {
  const auto law = law_named(name);
  Host host(trace.host, trace.guests, law.get());
  Contentment contentment(trace.guests.size());
  json curves = json::array();
  while (host.now() < trace.length) {
    host.run(kLook);
    contentment.look(host.guests());
    if (trace.drawn) curves.push_back(curve(host));
  }
  return {{"trace", trace.name},
          {"vms", trace.guests.size()},
          {"law", name},
          {"total_mib", mib(trace.host.total)},
          {"totals", totals(host, contentment, trace.length)},
          {"curves", curves}};
}

void run_all() {
  json runs = json::array();
  for (const Trace& trace : all_traces()) {
    for (const char* law : {"none", "pressure", "balance"}) runs.push_back(run(trace, law));
  }
  fmt::print("{}\n", runs.dump());
}

}  // namespace
}  // namespace vballoon::sim

int main() {
  vballoon::sim::run_all();
}
