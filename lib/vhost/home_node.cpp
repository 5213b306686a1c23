// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/home_node.hpp"

#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <climits>

namespace vballoon::vhost {
namespace {

constexpr std::size_t kWordBits = sizeof(unsigned long) * CHAR_BIT;
constexpr std::size_t kNodes = 1024;  // no kernel is built for more

using NodeMask = std::array<unsigned long, kNodes / kWordBits>;

std::optional<unsigned> only_node(const NodeMask& mask) noexcept {
  std::optional<unsigned> node;
  for (std::size_t word = 0; word < mask.size(); ++word) {
    if (mask[word] == 0) continue;
    if (node || !std::has_single_bit(mask[word])) return std::nullopt;
    node = static_cast<unsigned>(word * kWordBits) +
           static_cast<unsigned>(std::countr_zero(mask[word]));
  }
  return node;
}

}  // namespace

std::optional<unsigned> home_node(const gmem::GuestMemory& memory) noexcept {
  std::optional<unsigned> home;
  for (const gmem::Region& region : memory.regions()) {
    int mode = MPOL_DEFAULT;
    NodeMask mask{};
    if (::syscall(SYS_get_mempolicy, &mode, mask.data(), kNodes, region.host, MPOL_F_ADDR) != 0) {
      return std::nullopt;
    }
    const bool bound = mode == MPOL_BIND || mode == MPOL_PREFERRED;
    const auto node = bound ? only_node(mask) : std::nullopt;
    if (!node || (home && *home != *node)) return std::nullopt;
    home = node;
  }
  return home;
}

}  // namespace vballoon::vhost
