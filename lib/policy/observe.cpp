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

policy::PoolObservation host_pool(const policy::MemoryFigures& host, std::uint64_t reserve_mib) {
  policy::PoolObservation pool;
  pool.name = host.cgroup ? "cgroup" : "host";
  pool.total = host.total;
  pool.available = host.available;
  pool.reserve = reserve_of(host.total, reserve_mib);
  // Of the machine's swap nobody knows how much is guests'.
  if (host.cgroup) pool.swapped = host.cgroup->swap.value_or(0);
  return pool;
}

/// Finds a pool of an observation by its name, or makes it.
class Pools {
 public:
  Pools(const policy::MemoryFigures& host, std::uint64_t reserve_mib) : host_(host) {
    pools_.push_back(host_pool(host, reserve_mib));
  }

  [[nodiscard]] std::optional<std::size_t> node(unsigned number) {
    const auto at = std::find_if(host_.nodes.begin(), host_.nodes.end(),
                                 [number](const auto& node) { return node.node == number; });
    // On a machine of one node that would be the same memory twice.
    if (at == host_.nodes.end() || host_.nodes.size() < 2) return std::nullopt;
    policy::PoolObservation pool;
    pool.name = fmt::format("node {}", number);
    pool.total = at->total;
    pool.available = at->available;
    const auto share = static_cast<double>(at->total) / static_cast<double>(machine_total());
    pool.reserve = static_cast<std::uint64_t>(static_cast<double>(pools_[0].reserve) * share);
    return find_or_add(std::move(pool));
  }

  [[nodiscard]] std::size_t huge(std::uint64_t page_bytes, std::optional<unsigned> node) {
    policy::PoolObservation pool;
    pool.name = fmt::format("{} pages", format_size(page_bytes));
    if (node) pool.name += fmt::format(" of node {}", *node);
    pool.known = false;
    for (const policy::HugePagePool& part : host_.huge_pages) {
      if (part.page_bytes != page_bytes || (node && part.node && *part.node != *node)) continue;
      pool.known = true;
      pool.total += part.pages * page_bytes;
      pool.available += part.free * page_bytes;
    }
    return find_or_add(std::move(pool));
  }

  [[nodiscard]] std::vector<policy::PoolObservation> take() { return std::move(pools_); }

 private:
  [[nodiscard]] std::uint64_t machine_total() const noexcept {
    std::uint64_t total = 1;
    for (const auto& node : host_.nodes) total += node.total;
    return total;
  }
  std::size_t find_or_add(policy::PoolObservation pool) {
    const auto at = std::find_if(pools_.begin(), pools_.end(),
                                 [&pool](const auto& other) { return other.name == pool.name; });
    if (at != pools_.end()) return static_cast<std::size_t>(at - pools_.begin());
    pools_.push_back(std::move(pool));
    return pools_.size() - 1;
  }

  const policy::MemoryFigures& host_;
  std::vector<policy::PoolObservation> pools_;
};

policy::GuestSample sample_of(const vm::StatsReport& stats) {
  const wire::StatsSample& from = stats.sample;
  policy::GuestSample sample;
  sample.sequence = stats.sequence;
  sample.age = policy::Time(std::min<std::uint64_t>(stats.age_ms, INT32_MAX));
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

policy::VmObservation vm_of(const vm::DeviceReport& device, const VmWish& wish, Pools* pools) {
  policy::VmObservation vm;
  vm.name = device.name;
  vm.automatic = wish.automatic;
  vm.limits = wish.limits;
  vm.running = device.state == vm::State::kRunning && device.guest_bytes != 0;
  vm.inhibited = device.inhibited;
  vm.guest = device.guest_bytes;
  vm.table = device.table_bytes;
  vm.target = device.target_bytes;
  vm.actual = device.actual_bytes.value_or(0);
  vm.knows_actual = device.actual_bytes.has_value();
  vm.resident = device.resident_bytes;
  vm.pressure_messages = device.pressure_messages;
  if (device.stats) vm.sample = sample_of(*device.stats);
  // It is what the ledger held then; of a balloon that came along that is not all.
  if (vm.sample && !device.ledger_whole) vm.sample->actual.reset();
  if (device.host_page_bytes > kPageSize) {
    vm.pool = pools->huge(device.host_page_bytes, device.node);
  } else if (device.node) {
    vm.node = pools->node(*device.node);
  }
  return vm;
}

}  // namespace

VmWish wish_of(const vm::Settings& device, std::optional<vm::AutomaticWord> said) noexcept {
  const bool counts = said && said->configured == device.automatic;
  return {counts ? said->on : device.automatic, device.automatic, limits_of(device)};
}

policy::Limits limits_of(const vm::Settings& settings) noexcept {
  return {settings.floor_mib * kMiB, settings.ceiling_mib * kMiB, settings.weight};
}

policy::Observation observe(const policy::MemoryFigures& host,
                            const std::vector<vm::DeviceReport>& devices,
                            const std::map<std::string, VmWish>& wishes,
                            std::uint64_t reserve_mib) {
  policy::Observation seen;
  Pools pools(host, reserve_mib);
  seen.vms.reserve(devices.size());
  for (const vm::DeviceReport& device : devices) {
    const auto wish = wishes.find(device.name);
    seen.vms.push_back(vm_of(device, wish == wishes.end() ? VmWish() : wish->second, &pools));
  }
  seen.pools = pools.take();
  return seen;
}

}  // namespace vballoon::policy
