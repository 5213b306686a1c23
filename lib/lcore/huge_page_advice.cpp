// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/huge_page_advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

namespace vballoon::lcore {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "hugepages-";

struct Pool {
  fs::path folder;
  std::uint64_t page_kib = 0;
};

std::optional<Pool> smallest_pool(const std::string& folder) {
  std::optional<Pool> smallest;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kPrefix)) continue;
    std::uint64_t kib = 0;
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), kib);
    if (kib != 0 && (!smallest || kib < smallest->page_kib)) smallest = Pool{entry.path(), kib};
  }
  return smallest;
}

std::uint64_t read_number(const fs::path& file) {
  std::uint64_t number = 0;
  std::ifstream(file) >> number;
  return number;
}

std::string at_each_boot(const Pool& pool, std::uint64_t pages, std::uint64_t default_kib) {
  if (pool.page_kib == default_kib) {
    return fmt::format("`vm.nr_hugepages = {}` in a file of /etc/sysctl.d", pages);
  }
  return fmt::format("hugepagesz={}K hugepages={} on the kernel command line", pool.page_kib,
                     pages);
}

}  // namespace

std::string huge_page_advice(std::uint64_t needed_mib, std::uint64_t default_kib,
                             const std::string& folder) {
  const auto pool = smallest_pool(folder);
  if (!pool) return "this kernel has no huge pages";
  const std::uint64_t needed = (needed_mib * 1024 + pool->page_kib - 1) / pool->page_kib;
  const std::uint64_t all = read_number(pool->folder / "nr_hugepages");
  const std::uint64_t free = read_number(pool->folder / "free_hugepages");
  const std::uint64_t promised = std::min(free, read_number(pool->folder / "resv_hugepages"));
  if (free - promised >= needed) return "";
  const std::uint64_t missing = needed - (free - promised);
  return fmt::format(
      "it needs {} huge pages of {} KiB, and {} are free: add {} to the {} that the host has "
      "(`echo "
      "{} > {}/nr_hugepages`, and for each boot {})",
      needed, pool->page_kib, free - promised, missing, all, all + missing, pool->folder.string(),
      at_each_boot(*pool, all + missing, default_kib));
}

std::uint64_t default_huge_page_kib() {
  std::ifstream meminfo("/proc/meminfo");
  std::uint64_t kib = 0;
  for (std::string word; meminfo >> word;) {
    if (word == "Hugepagesize:") meminfo >> kib;
  }
  return kib;
}

}  // namespace vballoon::lcore
