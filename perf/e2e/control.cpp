// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/control.cpp - the real daemon: how long the VMM waits for a config read while another guest's
// balloon is inflated without a pause, and what a VM costs in memory.
#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <thread>

#include "driver/balloon_driver.hpp"
#include "support/daemon.hpp"
#include "support/figures.hpp"
#include "support/rounds.hpp"
#include "wire/balloon_config.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kVmBytes = kGiB;
constexpr unsigned kVms = 64;
/// Attached before anything is counted: the daemon's own pools have grown by then.
constexpr unsigned kFirst = 8;
constexpr unsigned kReads = 2000;

/// RAM that nobody touches, and a driver.
struct Guest {
  explicit Guest(driver::MessageSocket socket)
      : ram(or_give_up(driver::GuestRam::create(driver::flat_ram(kVmBytes)))),
        driver(or_give_up(driver::BalloonDriver::start(std::move(socket), ram, {}))) {
    for (const Pfn pfn : ram.pages()) {
      if (!driver->arena().holds(pfn)) pages.push_back(pfn);
    }
  }
  void inflate(std::span<const Pfn> pfns) { check(driver->inflate(pfns)); }
  void deflate(std::span<const Pfn> pfns) { check(driver->deflate(pfns)); }
  static void check(const Result<void>& done) {
    if (!done) give_up(done.error().message);
  }

  driver::GuestRam ram;
  std::unique_ptr<driver::BalloonDriver> driver;
  std::vector<Pfn> pages;
};

/// Inflates and deflates a guest for as long as it lives.
class Load {
 public:
  explicit Load(Guest& guest)
      : thread_([this, &guest] {
          constexpr std::size_t kTurn = 16384;
          const auto pages = std::span(guest.pages).first(kTurn);
          while (!stop_.load(std::memory_order_relaxed)) {
            guest.inflate(pages);
            guest.deflate(pages);
          }
        }) {}
  ~Load() {
    stop_.store(true, std::memory_order_relaxed);
    thread_.join();
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// Median of one round of config reads.
double read_config_us(driver::FrontEnd& front_end) {
  std::vector<double> us;
  for (unsigned i = 0; i < kReads; ++i) {
    const double begin = now_ns();
    if (!front_end.get_config(0, wire::kConfigBytes)) give_up("a config read failed");
    us.push_back((now_ns() - begin) / 1000);
  }
  return median(us);
}

/// The limit: two threads and a socket, and nothing in between.
double socket_round_trip_us() {
  constexpr wire::Header kHead{.request = 0, .flags = wire::kVersion, .size = 28};
  auto ends = or_give_up(driver::MessageSocket::pair());
  const std::vector<std::byte> payload(kHead.size);
  const auto deadline = [] { return driver::Deadline(std::chrono::seconds(10)); };
  std::thread echo([&] {
    for (unsigned i = 0; i < kReads; ++i) {
      if (!ends.second.receive(deadline())) return;
      if (!ends.second.send(kHead, payload, {}, deadline())) return;
    }
  });
  std::vector<double> us;
  for (unsigned i = 0; i < kReads; ++i) {
    const double begin = now_ns();
    if (!ends.first.send(kHead, payload, {}, deadline()) || !ends.first.receive(deadline())) {
      give_up("the socket pair is silent");
    }
    us.push_back((now_ns() - begin) / 1000);
  }
  echo.join();
  return median(us);
}

/// @param prefix  of the keys.
void measure_config(std::vector<std::unique_ptr<Guest>>& guests, unsigned rounds,
                    const std::string& prefix, Figures& figures) {
  std::vector<double> busy, idle, limit;
  for (unsigned round = 0; round < rounds; ++round) {
    progress(fmt::format("config reads, {} VMs: round {} of {}", guests.size(), round + 1, rounds));
    driver::FrontEnd& front_end = guests[1]->driver->front_end();
    idle.push_back(read_config_us(front_end));
    limit.push_back(socket_round_trip_us());
    const Load load(*guests[0]);
    busy.push_back(read_config_us(front_end));
  }
  figures.set(prefix + "_p50_us", median(busy));
  figures.set(prefix + "_idle_p50_us", median(idle));
  figures.set(prefix + "_limit_p50_us", median(limit));
}

double per_vm(std::uint64_t before, std::uint64_t after, unsigned vms) {
  return (static_cast<double>(after) - static_cast<double>(before)) / vms;
}

void measure_memory(Daemon& daemon, std::vector<std::unique_ptr<Guest>>& guests, Figures& figures) {
  progress("memory per VM");
  attach_until(kFirst, daemon, guests);
  const Resident before = daemon.resident();
  attach_until(kVms, daemon, guests);
  const Resident after = daemon.resident();
  figures.set("memory.per_vm_bytes", per_vm(before.all(), after.all(), kVms - kFirst));
  figures.set("memory.per_vm_guest_bytes", per_vm(before.guest, after.guest, kVms - kFirst));
  // Every page in the balloon: what the ledger takes when it is full.
  constexpr unsigned kFull = 4;
  for (unsigned i = 0; i < kFull; ++i) guests[kVms - 1 - i]->inflate(guests[kVms - 1 - i]->pages);
  figures.set("memory.per_full_vm_bytes", figures.at("memory.per_vm_bytes") +
                                              per_vm(after.all(), daemon.resident().all(), kFull));
}

void few(unsigned rounds, Figures& figures) {
  Daemon daemon(kFirst, Lcore::kPolls);
  std::vector<std::unique_ptr<Guest>> guests;
  attach_until(kFirst, daemon, guests);
  measure_config(guests, rounds, "control.get_config", figures);
}

/// librte_vhost's event thread looks at every VM's socket for each message.
void many(unsigned rounds, Figures& figures) {
  Daemon daemon(kVms, Lcore::kPolls);
  std::vector<std::unique_ptr<Guest>> guests;
  measure_memory(daemon, guests, figures);
  measure_config(guests, rounds, fmt::format("control.get_config_{}_vms", kVms), figures);
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  const unsigned rounds = effort_wanted(argc, argv).rounds;
  raise_file_limit();
  Figures figures;
  few(rounds, figures);
  many(rounds, figures);
  figures.print();
}
