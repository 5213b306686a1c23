// SPDX-License-Identifier: BSD-3-Clause
#include "sim/demand.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace vballoon::sim {
namespace {

/// splitmix64: a number for a number.
std::uint64_t scatter(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// @param part  0 is from, 1 is to.
std::uint64_t between(std::uint64_t from, std::uint64_t to, double part) {
  const double start = static_cast<double>(from);
  return static_cast<std::uint64_t>(start + (static_cast<double>(to) - start) * part);
}

double ratio(Time part, Time whole) {
  return static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

}  // namespace

Demand steady(std::uint64_t bytes) {
  return [bytes](Time) { return bytes; };
}

Demand ramp(std::uint64_t from, std::uint64_t to, Time begin, Time length) {
  return
      [=](Time now) { return between(from, to, std::clamp(ratio(now - begin, length), 0.0, 1.0)); };
}

Demand burst(std::uint64_t low, std::uint64_t high, Time period, Time length, Time phase) {
  return [=](Time now) { return (now + period - phase) % period < length ? high : low; };
}

Demand diurnal(std::uint64_t low, std::uint64_t high, Time period, Time phase) {
  return [=](Time now) {
    const double angle = 2 * std::numbers::pi * ratio(now + phase, period);
    return between(low, high, (1 - std::cos(angle)) / 2);
  };
}

Demand noisy(Demand demand, std::uint64_t noise, std::uint64_t seed) {
  return [demand = std::move(demand), noise, seed](Time now) {
    const auto second = static_cast<std::uint64_t>(now.count() / 1000);
    const std::uint64_t wanted = demand(now) + scatter(seed * 1'000'003 + second) % (2 * noise + 1);
    return wanted - std::min(wanted, noise);
  };
}

}  // namespace vballoon::sim
