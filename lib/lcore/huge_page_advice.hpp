// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/huge_page_advice.hpp - how the operator gets the huge pages that the daemon itself needs.
#pragma once

#include <cstdint>
#include <string>

namespace vballoon::lcore {

inline constexpr const char* kHugePagesFolder = "/sys/kernel/mm/hugepages";

/// Says how many huge pages are missing in the pool of the smallest page size, and how to add them
/// now and at each boot. Other processes have pages in that pool, so the numbers that the operator
/// is to write are those of the whole pool.
/// @param needed_mib    memory that the daemon wants from huge pages.
/// @param default_kib   the page size that vm.nr_hugepages counts.
/// @param folder        the folder of the kernel's pools.
/// @return half a sentence for an error; empty where enough pages are free.
[[nodiscard]] std::string huge_page_advice(std::uint64_t needed_mib, std::uint64_t default_kib,
                                           const std::string& folder = kHugePagesFolder);

/// @return "Hugepagesize:" of /proc/meminfo, or 0.
[[nodiscard]] std::uint64_t default_huge_page_kib();

}  // namespace vballoon::lcore
