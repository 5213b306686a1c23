// SPDX-License-Identifier: BSD-3-Clause
//
// policy/divide.hpp - divides a budget among claims, by weight.
// Pure. All arithmetic is in integers, so that the order of the claims does not matter.
// Source: min-funding revocation with a tax on idle memory: C. Waldspurger, "Memory Resource
//         Management in VMware ESX Server", OSDI 2002, sections 5.1 to 5.3 (a tax of 75 %).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace vballoon::policy {

/// One guest's claim. @pre least <= most. What the guest gets beyond `active` is idle memory. An
/// idle byte counts as much as kIdlePrice active ones.
struct Claim {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  std::uint64_t active = 0;
  std::uint64_t weight = 1;  ///< 1 or more
};

/// What an idle byte costs, in active bytes: 1 / (1 - 75 %).
inline constexpr std::uint64_t kIdlePrice = 4;

/// Each claim gets its least. Above that all claims get the same for each unit of weight, as much
/// as the budget allows.
/// @return for each claim a share in [least, most]. The sum of the shares is at most the budget,
///         unless the sum of all `least` is more.
[[nodiscard]] std::vector<std::uint64_t> divide(std::uint64_t budget,
                                                std::span<const Claim> claims);

}  // namespace vballoon::policy
