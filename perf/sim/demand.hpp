// SPDX-License-Identifier: BSD-3-Clause
//
// sim/demand.hpp - what programs want of memory over time.
#pragma once

#include <cstdint>
#include <functional>

#include "policy/observation.hpp"

namespace vballoon::sim {

using policy::Time;

/// Bytes of anonymous memory at a moment. The same moment gives the same answer.
using Demand = std::function<std::uint64_t(Time)>;

[[nodiscard]] Demand steady(std::uint64_t bytes);
/// From one amount to another, in a straight line from a moment on.
[[nodiscard]] Demand ramp(std::uint64_t from, std::uint64_t to, Time begin, Time length);
/// High for `length` of each period; it begins at `phase` of it.
[[nodiscard]] Demand burst(std::uint64_t low, std::uint64_t high, Time period, Time length,
                           Time phase);
/// A day is a period: a sine between the two.
[[nodiscard]] Demand diurnal(std::uint64_t low, std::uint64_t high, Time period, Time phase);
/// Up to `noise` more or less than the other each second, at random by seed.
[[nodiscard]] Demand noisy(Demand demand, std::uint64_t noise, std::uint64_t seed);

}  // namespace vballoon::sim
