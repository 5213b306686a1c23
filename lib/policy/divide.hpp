// SPDX-License-Identifier: BSD-3-Clause
//
// policy/divide.hpp - divide what is there among those that have a claim, by weight.
// Pure; integers throughout, so that the order of the claims does not matter.
// Source: min-funding revocation with a tax on idle memory: C. Waldspurger, "Memory Resource
//         Management in VMware ESX Server", OSDI 2002, sections 5.1 to 5.3 (a tax of 75 %).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace vballoon::policy {

/// least <= most. Of what one gets, all beyond `active` is idle and counts fourfold against it.
struct Claim {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  std::uint64_t active = 0;
  std::uint64_t weight = 1;  ///< 1 or more
};

/// 1 / (1 - 75 %): what an idle byte costs, in active ones.
inline constexpr std::uint64_t kIdlePrice = 4;

/// Everybody gets its least; above that, all get as much for their weight as the budget has.
/// @return for each claim something in [least, most]; in all no more than the budget, unless the
///         least of all is more.
[[nodiscard]] std::vector<std::uint64_t> divide(std::uint64_t budget,
                                                std::span<const Claim> claims);

}  // namespace vballoon::policy
