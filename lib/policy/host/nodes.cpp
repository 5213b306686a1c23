// SPDX-License-Identifier: BSD-3-Clause
#include "policy/host/nodes.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/units.hpp"

namespace vballoon::policy {
namespace {

/// "node3" is 3 after "node"; "hugepages-2048kB" is 2048 between "hugepages-" and "kB".
std::optional<std::uint64_t> number_in(std::string_view name, std::string_view begin,
                                       std::string_view end) {
  if (!name.starts_with(begin)) return std::nullopt;
  name.remove_prefix(begin.size());
  if (!name.ends_with(end)) return std::nullopt;
  name.remove_suffix(end.size());
  if (name.empty() || name.find_first_not_of("0123456789") != std::string_view::npos) return {};
  return to_number(name);
}

/// @return the folders whose names are a number between `begin` and `end`, smallest number first.
std::vector<std::pair<std::uint64_t, std::string>> numbered(const std::string& folder,
                                                            std::string_view begin,
                                                            std::string_view end) {
  std::vector<std::pair<std::uint64_t, std::string>> found;
  std::error_code none;
  std::filesystem::directory_iterator entries(folder, none);
  for (; !none && entries != std::filesystem::directory_iterator(); entries.increment(none)) {
    const auto number = number_in(entries->path().filename().native(), begin, end);
    if (number) found.emplace_back(*number, entries->path().native());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// Computes as the kernel's si_mem_available(): half of the page cache stays, or as much of it as
/// the low watermark if that is less; and what the kernel holds back stays, at least the high
/// watermark.
std::uint64_t estimate_available(const NodeMemory& node) noexcept {
  const std::uint64_t stays = std::min(node.file / 2, node.watermark_low);
  return less(add_up(node.free, node.file - stays), node.watermark_high);
}

}  // namespace

Nodes::Nodes(const Paths& paths) {
  for (const auto& [node, folder] : numbered(paths.sys + "/devices/system/node", "node", "")) {
    if (node <= std::numeric_limits<unsigned>::max()) add_node(static_cast<unsigned>(node), folder);
  }
  if (memory_.empty()) add_pools(std::nullopt, paths.sys + "/kernel/mm/hugepages");
}

void Nodes::add_node(unsigned node, const std::string& folder) {
  KernelFile file(folder + "/meminfo");
  if (!file.valid()) return;
  memory_.push_back(Memory{node, std::move(file)});
  add_pools(node, folder + "/hugepages");
}

void Nodes::add_pools(std::optional<unsigned> node, const std::string& folder) {
  for (const auto& [size, pool] : numbered(folder, "hugepages-", "kB")) {
    pools_.push_back(Pool{node, multiply(size, kKiB), KernelFile(pool + "/nr_hugepages"),
                          KernelFile(pool + "/free_hugepages"),
                          KernelFile(pool + "/surplus_hugepages")});
  }
}

std::vector<NodeMemory> Nodes::read_memory(const std::vector<Watermarks>& watermarks,
                                           std::string& buffer) const {
  std::vector<NodeMemory> all;
  for (const Memory& one : memory_) {
    const auto text = one.file.read(buffer);
    if (!text) continue;
    const auto total = bytes_after(*text, "MemTotal:", kKiB);
    const auto free = bytes_after(*text, "MemFree:", kKiB);
    if (!total || !free) continue;
    NodeMemory node{.node = one.node, .total = *total, .free = std::min(*free, *total)};
    node.file = add_up(bytes_after(*text, "Active(file):", kKiB).value_or(0),
                       bytes_after(*text, "Inactive(file):", kKiB).value_or(0));
    for (const Watermarks& marks : watermarks) {
      if (marks.node != node.node) continue;
      node.watermark_low = marks.low;
      node.watermark_high = marks.high;
    }
    node.available = std::min(estimate_available(node), node.total);
    all.push_back(node);
  }
  return all;
}

std::vector<HugePagePool> Nodes::read_pools() const {
  std::vector<HugePagePool> all;
  for (const Pool& pool : pools_) {
    const auto pages = pool.pages.number();
    const auto free = pool.free.number();
    if (!pages || !free) continue;
    all.push_back(HugePagePool{pool.node, pool.page_bytes, *pages, std::min(*free, *pages),
                               std::min(pool.surplus.number().value_or(0), *pages)});
  }
  return all;
}

}  // namespace vballoon::policy
