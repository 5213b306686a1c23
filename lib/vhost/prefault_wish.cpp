// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/prefault_wish.hpp"

#include <fmt/format.h>

#include <utility>

#include "gmem/memory_charge.hpp"

namespace vballoon::vhost {

void PrefaultWish::set(bool wanted) noexcept {
  wanted_.store(wanted, std::memory_order_relaxed);
  if (!wanted) path_.prefault(false);
}

void PrefaultWish::settle(pid_t vmm) {
  const bool wanted = this->wanted();
  std::string why;
  if (wanted && memory_.table == SharedMemory::Table::kTaken) {
    for (const gmem::Region& region : path_.memory()->regions()) {
      const bool huge = region.backing.host_page > kPageSize;
      if (why.empty()) why = gmem::charged_elsewhere(vmm, huge);
    }
  }
  path_.prefault(wanted && why.empty());
  if (std::exchange(memory_.no_prefault, why) != why && !why.empty()) {
    notices_.warn(fmt::format("prefault has no effect: {}", why));
  }
}

}  // namespace vballoon::vhost
