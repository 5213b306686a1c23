// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/room.hpp"

#include <fmt/format.h>
#include <rte_malloc.h>
#include <sys/resource.h>

#include <algorithm>

#include "base/log.hpp"

namespace vballoon::vhost {
namespace {

/// The descriptors that one VM takes here: its listening socket, its connection (twice), its
/// process, the file of its answers, two or three for each ring, two for each memory region, its
/// backend channel (twice), its in-flight region.
constexpr rlim_t kOfTheLeastVm = 14;
constexpr rlim_t kOfAStockVm = 26;
/// Bytes that librte_vhost allocates for a VM with five rings of 128.
constexpr std::size_t kMemoryOfAVm = std::size_t{64} * 1024;
/// The descriptors of the daemon itself.
constexpr rlim_t kOwn = 128;

rlim_t descriptors() noexcept {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

void warn_once(const std::string& what) {
  static std::atomic<bool> said{false};
  if (!said.exchange(true)) log::warn("{}", what);
}

}  // namespace

Result<void> Room::check(unsigned servers, unsigned clients) {
  if (servers + kOfAClient * clients > kMaxDevices) {
    return fail(
        Code::kUnavailable,
        fmt::format("this daemon is full: it serves {} devices, one in client mode counting "
                    "as {} (librte_vhost waits for {} descriptors); run another vballoond "
                    "for more",
                    kMaxDevices, kOfAClient, kEntries));
  }
  const rlim_t limit = descriptors();
  const rlim_t devices = servers + clients;
  if (kOwn + devices * kOfTheLeastVm > limit) {
    return fail(
        Code::kUnavailable,
        fmt::format("this daemon is full: {} devices need at least {} file descriptors, and "
                    "its limit is {}; raise it (LimitNOFILE= of the service, ulimit -n)",
                    devices, kOwn + devices * kOfTheLeastVm, limit));
  }
  if (kOwn + devices * kOfAStockVm > limit) {
    warn_once(
        fmt::format("{} devices of stock guests need {} file descriptors, and the limit is {}; "
                    "raise it (LimitNOFILE= of the service, ulimit -n)",
                    devices, kOwn + devices * kOfAStockVm, limit));
  }
  return {};
}

std::optional<std::string> Room::short_of_memory() {
  std::size_t greatest = 0;
  for (int socket = 0; socket < RTE_MAX_NUMA_NODES; ++socket) {
    rte_malloc_socket_stats stats{};
    if (rte_malloc_get_socket_stats(socket, &stats) != 0) continue;
    greatest = std::max(greatest, stats.greatest_free_size);
  }
  if (greatest >= kMemoryOfAVm) return std::nullopt;
  return fmt::format("DPDK has no more than {} KiB of memory left for VMs; raise eal.memory_mib",
                     greatest / 1024);
}

}  // namespace vballoon::vhost
