// SPDX-License-Identifier: BSD-3-Clause
#include "policy/divide.hpp"

#include <algorithm>

namespace vballoon::policy {
namespace {

/// More than any memory. The search below starts from this level.
constexpr std::uint64_t kMostLevel = std::uint64_t{1} << 50;

/// @return what a claim gets where a unit of weight buys `level` bytes of active memory.
std::uint64_t at_level(const Claim& claim, std::uint64_t level) noexcept {
  const std::uint64_t worth = level > UINT64_MAX / claim.weight ? UINT64_MAX : level * claim.weight;
  const std::uint64_t gets =
      worth <= claim.active ? worth : claim.active + (worth - claim.active) / kIdlePrice;
  return std::clamp(gets, claim.least, claim.most);
}

/// Whether all claims fit at this level.
bool fits(std::uint64_t budget, std::span<const Claim> claims, std::uint64_t level) noexcept {
  std::uint64_t left = budget;
  for (const Claim& claim : claims) {
    const std::uint64_t gets = at_level(claim, level);
    if (gets > left) return false;
    left -= gets;
  }
  return true;
}

}  // namespace

std::vector<std::uint64_t> divide(std::uint64_t budget, std::span<const Claim> claims) {
  std::uint64_t level = 0;  // the highest level that fits, determined bit by bit
  for (std::uint64_t bit = kMostLevel; bit != 0; bit >>= 1) {
    if (fits(budget, claims, level + bit)) level += bit;
  }
  std::vector<std::uint64_t> shares;
  shares.reserve(claims.size());
  for (const Claim& claim : claims) shares.push_back(at_level(claim, level));
  return shares;
}

}  // namespace vballoon::policy
