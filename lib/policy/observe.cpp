// SPDX-License-Identifier: BSD-3-Clause
#include "policy/observe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/size_text.hpp"
#include "base/units.hpp"

namespace vballoon::policy {
namespace {

using wire::StatTag;

constexpr std::uint64_t kReservePart = 10;
constexpr std::uint64_t kSmallestReserve = 64 * kMiB;
constexpr std::uint64_t kLargestReserve = 8 * kGiB;

std::uint64_t reserve_of(std::uint64_t total, std::uint64_t reserve_mib) noexcept {
  if (reserve_mib != 0) return std::min(reserve_mib * kMiB, total);
  return std::min(std::clamp(total / kReservePart, kSmallestReserve, kLargestReserve), total);
}

PoolObservation host_pool(const MemoryFigures& host, std::uint64_t reserve_mib) {
  PoolObservation pool;
  pool.name = host.cgroup ? "cgroup" : "host";
  pool.total = host.total;
  pool.available = host.available;
  pool.reserve = reserve_of(host.total, reserve_mib);
  // Nothing tells how much of the machine's swap holds guests' memory.
  if (host.cgroup) pool.swapped = host.cgroup->swap.value_or(0);
  return pool;
}

std::uint64_t machine_total(const MemoryFigures& host) noexcept {
  std::uint64_t total = 1;
  for (const auto& node : host.nodes) total += node.total;
  return total;
}

GuestSample sample_of(const vm::StatsReport& stats) {
  const wire::StatsSample& from = stats.sample;
  GuestSample sample;
  sample.sequence = stats.sequence;
  sample.age = Time(std::min<std::uint64_t>(stats.age_ms, INT32_MAX));
  sample.actual = stats.ballooned_bytes;
  sample.free = from.get(StatTag::kFree);
  sample.available = from.get(StatTag::kAvailable);
  sample.caches = from.get(StatTag::kDiskCaches);
  sample.swap_in = from.get(StatTag::kSwapIn);
  sample.swap_out = from.get(StatTag::kSwapOut);
  sample.major_faults = from.get(StatTag::kMajorFaults);
  sample.oom_kills = from.get(StatTag::kOomKills);
  sample.alloc_stalls = from.get(StatTag::kAllocStalls);
  sample.nonsense = from.nonsense != 0;
  return sample;
}

}  // namespace

VmWish wish_of(const vm::Settings& device, std::optional<vm::AutomaticWord> said) noexcept {
  const bool counts = said && said->configured == device.automatic;
  return {counts ? said->on : device.automatic, device.automatic, limits_of(device)};
}

policy::Limits limits_of(const vm::Settings& settings) noexcept {
  return {settings.floor_mib * kMiB, settings.ceiling_mib * kMiB, settings.weight};
}

Observer::Observer(const MemoryFigures& host, std::uint64_t reserve_mib) : host_(host) {
  seen_.pools.push_back(host_pool(host, reserve_mib));
}

void Observer::add(const std::string& name, const vm::VmFigures& figures, const VmWish& wish) {
  VmObservation& vm = seen_.vms.emplace_back();
  vm.name = name;
  vm.automatic = wish.automatic;
  vm.limits = wish.limits;
  vm.running = figures.state == vm::State::kRunning && figures.guest_bytes != 0;
  vm.inhibited = figures.inhibited;
  vm.guest = figures.guest_bytes;
  vm.table = figures.table_bytes;
  vm.unit = figures.unit_bytes;
  vm.target = figures.target_bytes;
  vm.actual = figures.actual_bytes.value_or(0);
  vm.knows_actual = figures.actual_bytes.has_value();
  vm.resident = figures.resident_bytes;
  vm.pressure_messages = figures.pressure_messages;
  if (figures.stats) vm.sample = sample_of(*figures.stats);
  // The sample's `actual` is the ledger's size at that moment. The ledger lacks the pages of a
  // balloon that an earlier daemon or another host inflated.
  if (vm.sample && !figures.ledger_whole) vm.sample->actual.reset();
  const bool huge = figures.host_page_bytes > kPageSize;
  if (!huge && !figures.node) return;
  const auto pool = pool_of(huge ? figures.host_page_bytes : kPageSize, figures.node);
  if (huge) {
    vm.pool = *pool;
  } else {
    vm.node = pool;
  }
}

/// @return the index of the pool; nothing where only the host's own pool counts. Huge pages always
///         have a pool.
std::optional<std::size_t> Observer::pool_of(std::uint64_t page_bytes,
                                             std::optional<unsigned> node) {
  for (const Kind& kind : kinds_) {
    if (kind.page_bytes == page_bytes && kind.node == node) return kind.pool;
  }
  Kind kind{page_bytes, node, std::nullopt};
  auto made =
      page_bytes > kPageSize ? std::optional(huge_pool(page_bytes, node)) : node_pool(*node);
  if (made) {
    kind.pool = seen_.pools.size();
    seen_.pools.push_back(*std::move(made));
  }
  return kinds_.emplace_back(kind).pool;
}

/// @return nothing on a machine with one node: its pool would be the host's a second time.
std::optional<PoolObservation> Observer::node_pool(unsigned number) const {
  const auto at = std::find_if(host_.nodes.begin(), host_.nodes.end(),
                               [number](const auto& node) { return node.node == number; });
  if (at == host_.nodes.end() || host_.nodes.size() < 2) return std::nullopt;
  PoolObservation pool;
  pool.name = fmt::format("node {}", number);
  pool.total = at->total;
  pool.available = at->available;
  const auto share = static_cast<double>(at->total) / static_cast<double>(machine_total(host_));
  pool.reserve = static_cast<std::uint64_t>(static_cast<double>(seen_.pools[0].reserve) * share);
  return pool;
}

PoolObservation Observer::huge_pool(std::uint64_t page_bytes, std::optional<unsigned> node) const {
  PoolObservation pool;
  pool.name = fmt::format("{} pages", format_size(page_bytes));
  if (node) pool.name += fmt::format(" of node {}", *node);
  pool.known = false;
  for (const HugePagePool& part : host_.huge_pages) {
    if (part.page_bytes != page_bytes || (node && part.node && *part.node != *node)) continue;
    pool.known = true;
    pool.total += part.pages * page_bytes;
    pool.available += part.free * page_bytes;
  }
  return pool;
}

}  // namespace vballoon::policy
