// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/claimed.cpp - a guest of 16 TiB that uses 64 MiB, with a state folder: what the daemon takes
// for it, and how long its event thread, which all VMMs share, is busy with it.
//
// Beside it a guest of 1 GiB that does the same. What stays is looked at once its VMM is gone.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "driver/balloon_driver.hpp"
#include "support/daemon.hpp"
#include "support/figures.hpp"
#include "support/rounds.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kTarget = 64 * kMiB;
constexpr std::uint64_t kClaim = 16 * 1024 * kGiB;
// Later DPDK names it otherwise.
constexpr std::array<std::string_view, 2> kEventThread{"vhost-events", "dpdk-vhost-evt"};
constexpr useconds_t kSettleUs = 300'000;

std::uint64_t allocated_in(const std::filesystem::path& folder) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    struct stat file {};
    if (::stat(entry.path().c_str(), &file) != 0) give_up("no state file");
    bytes += static_cast<std::uint64_t>(file.st_blocks) * 512;
  }
  return bytes;
}

struct Cost {
  double event_thread_ms = 0;
  double resident_mib = 0;
  double left_mib = 0;  ///< of memory, that of the state folder included
};

double mib(std::uint64_t bytes) {
  return static_cast<double>(bytes) / static_cast<double>(kMiB);
}
double grown(std::uint64_t before, std::uint64_t after) {
  return mib(after - std::min(after, before));
}

/// A guest's life: its memory comes, a target is set, it gives the pages, and it goes.
Cost live(std::uint64_t bytes) {
  const auto state = std::filesystem::path("/dev/shm") / fmt::format("vbperf-{}", ::getpid());
  Daemon daemon(1, Lcore::kSleeps, {.tables = {}, .device_keys = {}, .state = state.string()});
  { const auto up = daemon.connect(0); }
  ::usleep(kSettleUs);
  const Resident before = daemon.resident();
  const double begin = daemon.thread_ns(kEventThread);
  Cost cost;
  {
    const auto ram = or_give_up(driver::GuestRam::create(driver::flat_ram(bytes)));
    const auto guest =
        or_give_up(driver::BalloonDriver::start(daemon.connect(0), ram, driver::DriverOptions{}));
    daemon.wait_until_ready();
    daemon.set_target(0, kTarget);
    std::vector<Pfn> pages;
    const auto first = static_cast<std::uint32_t>(bytes_to_pages(bytes / 2));
    for (std::uint32_t i = 0; i < bytes_to_pages(kTarget); ++i) pages.push_back(Pfn{first + i});
    static_cast<void>(or_give_up(guest->inflate(pages)));
    ::usleep(kSettleUs);
    cost.resident_mib = grown(before.all(), daemon.resident().all());
  }
  ::usleep(kSettleUs);
  cost.event_thread_ms = (daemon.thread_ns(kEventThread) - begin) / 1e6;
  // The state file is mapped still, so its pages are in the daemon's figure as well.
  const double state_mib = mib(allocated_in(state));
  cost.left_mib = std::max(grown(before.all(), daemon.resident().all()), state_mib);
  std::error_code ignored;
  std::filesystem::remove_all(state, ignored);
  return cost;
}

void measure(const std::string& key, std::uint64_t bytes, unsigned rounds, Figures& figures) {
  std::vector<double> busy, resident, left;
  for (unsigned round = 0; round < rounds; ++round) {
    progress(fmt::format("{}: round {} of {}", key, round + 1, rounds));
    const Cost cost = live(bytes);
    busy.push_back(cost.event_thread_ms);
    resident.push_back(cost.resident_mib);
    left.push_back(cost.left_mib);
  }
  // The worst of the rounds: these are bounds.
  figures.set(key + ".event_thread_ms", *std::max_element(busy.begin(), busy.end()));
  figures.set(key + ".resident_mib", *std::max_element(resident.begin(), resident.end()));
  figures.set(key + ".left_mib", *std::max_element(left.begin(), left.end()));
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon;
  using namespace vballoon::perf;
  const unsigned rounds = std::min(effort_wanted(argc, argv).rounds, 5U);
  Figures figures;
  measure("claimed.16tib", kClaim, rounds, figures);
  measure("claimed.1gib", kGiB, rounds, figures);
  figures.print();
}
