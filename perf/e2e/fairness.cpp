// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/fairness.cpp - what a VM's buffers wait for when another VM of its poll lcore floods, or has
// pages that are slow to free. The bound: what it waits alone, and one pass share of the other.
//
// The honest VM's driver has one core, the poll lcore the other. A guest that floods needs no core
// of its own: the honest driver's thread raises its avail index while it waits. What is slow to
// free is simulated, by the price of holes in memory that a running vCPU has touched.
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "lcore/poller.hpp"
#include "reclaim/discarder.hpp"
#include "reclaim/engine.hpp"
#include "support/cpu.hpp"
#include "support/figures.hpp"
#include "support/latency.hpp"
#include "support/order.hpp"
#include "support/other_lcore.hpp"
#include "support/rounds.hpp"
#include "support/vm.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kBytes = 128 * kMiB;
constexpr unsigned kBuffers = 400;     // of the honest VM, a round
constexpr double kBetweenNs = 20'000;  // config messages, and the guest's allocator
/// A reclaim lcore that is slow looks like this to a poll lcore: batches come back so rarely.
constexpr unsigned kBuffersAReturn = 50;

/// Frees nothing, for there is nothing. In one file it takes as long as the kernel does with memory
/// that a running vCPU has touched.
class SlowDiscarder final : public reclaim::Discarder {
 public:
  SlowDiscarder() = default;
  explicit SlowDiscarder(const MemoryFile& slow) noexcept : slow_(inode(slow.fd())) {}

  [[nodiscard]] bool discard(int fd, std::uint64_t, std::uint64_t bytes) noexcept override {
    constexpr double kHoleNs = 6000;  // most of it the interrupt
    constexpr double kPageNs = 250;
    if (inode(fd) != slow_) return true;
    const double end = now_ns() + kHoleNs + kPageNs * static_cast<double>(bytes_to_pages(bytes));
    while (now_ns() < end) __builtin_ia32_pause();
    return true;
  }

 private:
  /// The data path has a descriptor of its own for the file.
  static ino_t inode(int fd) noexcept {
    struct stat status {};
    ::fstat(fd, &status);
    return status.st_ino;
  }

  ino_t slow_ = 0;
};

struct Case {
  const char* name;
  driver::PageOrder order;  ///< of the flood
  bool slow;                ///< its pages, to free
  bool reclaim_lcore;       ///< discards; else the poll lcore does
};
constexpr std::array kCases{
    Case{"flood", kAscending, false, false},
    Case{"slow", kAscending, true, false},
    Case{"slow_scattered", kRandom, true, false},
    Case{"slow_reclaim_lcore", kRandom, false, true},
};

using Meanwhile = std::function<void()>;

/// The honest VM: one buffer outstanding, and a while between two.
/// @param flood  as often as it looks. @param between  once a buffer, outside of what is measured.
void drive(Vm& vm, std::span<const Pfn> pfns, const Meanwhile& flood, const Meanwhile& between,
           Latency& out) {
  std::vector<double> us;
  for (unsigned i = 0; i < kBuffers; ++i) {
    vm.write(pfns.subspan(i * Vm::kPagesPerBuffer % pfns.size(), Vm::kPagesPerBuffer));
    const double begin = now_ns();
    vm.publish();
    while (!vm.used()) flood();
    const double end = now_ns();
    us.push_back((end - begin) / 1000);
    between();
    while (now_ns() < end + kBetweenNs) flood();
  }
  out.add_round(us);
}

/// How long the other VM's passes take where it has the lcore for itself.
void drive_alone(Vm& vm, const Meanwhile& between, Latency& out) {
  std::vector<double> us;
  while (us.size() < kBuffers) {
    vm.flood();
    const double begin = now_ns();
    const bool worked = vm.path().poll();
    if (worked) us.push_back((now_ns() - begin) / 1000);
    between();
  }
  out.add_round(us);
}

/// Both VMs and what is found out about them.
class Pair {
 public:
  explicit Pair(reclaim::Engine& engine)
      : engine_(engine),
        honest_ram_(or_give_up(MemoryFile::create(Kind::kSmall, kBytes))),
        flood_ram_(or_give_up(MemoryFile::create(Kind::kSmall, kBytes))),
        honest_pages_(pages_in(kAscending, honest_ram_)) {}

  void alone(Latency& out) {
    SlowDiscarder quick;
    lcore::Poller poller(kOtherCpu, lcore::IdleStrategy::kSpin, quick);
    Vm honest(honest_ram_, {}, Ack::kEarly);
    const OtherLcore lcore(poller);
    const Attached attached(poller, honest.path());
    drive(
        honest, honest_pages_, [] { __builtin_ia32_pause(); }, [] {}, out);
  }

  /// @param share  the flood's passes. @param latency  the honest VM's buffers.
  void together(const Case& what, Latency& share, Latency& latency) {
    SlowDiscarder discarder = what.slow ? SlowDiscarder(flood_ram_) : SlowDiscarder();
    Vm flood(flood_ram_, {}, Ack::kEarly);
    flood.prepare_flood(pages_in(what.order, flood_ram_));
    measure_share(what, flood, discarder, share);
    Vm honest(honest_ram_, {}, Ack::kEarly);
    lcore::Poller poller(kOtherCpu, lcore::IdleStrategy::kSpin, discarder);
    if (what.reclaim_lcore) poller.use_engine(engine_);
    const OtherLcore lcore(poller);
    std::optional<Attached> first(std::in_place, poller, honest.path());
    std::optional<Attached> second(std::in_place, poller, flood.path());
    drive(
        honest, honest_pages_, [&] { flood.flood(); }, slow_worker(what), latency);
    // A device leaves its lcore when nothing of it is on its way.
    const std::jthread reclaim([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) static_cast<void>(engine_.work(0));
    });
    first.reset();
    second.reset();
  }

 private:
  void measure_share(const Case& what, Vm& flood, reclaim::Discarder& discarder, Latency& out) {
    reclaim::InlineSink inline_sink(discarder);
    flood.path().set_sink(what.reclaim_lcore ? engine_.sink(0) : inline_sink);
    drive_alone(flood, slow_worker(what), out);
    while (flood.path().restless()) {
      static_cast<void>(engine_.work(0));
      static_cast<void>(flood.path().poll());
    }
  }

  Meanwhile slow_worker(const Case& what) {
    if (!what.reclaim_lcore) return [] {};
    return [this] {
      if (++turns_ % kBuffersAReturn == 0) static_cast<void>(engine_.work(0));
    };
  }

  reclaim::Engine& engine_;
  MemoryFile honest_ram_;
  MemoryFile flood_ram_;
  std::vector<Pfn> honest_pages_;
  unsigned turns_ = 0;
};

void all(unsigned rounds) {
  start_eal();
  pin(kOurCpu);
  SlowDiscarder nothing;
  const auto engine = or_give_up(reclaim::Engine::create(1, nothing));
  Pair pair(*engine);
  Latency alone;
  std::array<Latency, kCases.size()> shares, latencies;
  for (unsigned round = 0; round < rounds; ++round) {
    progress(fmt::format("fairness: round {} of {}", round + 1, rounds));
    pair.alone(alone);
    for (std::size_t i = 0; i < kCases.size(); ++i) {
      pair.together(kCases[i], shares[i], latencies[i]);
    }
  }
  Figures figures;
  alone.record("fairness.alone", figures);
  for (std::size_t i = 0; i < kCases.size(); ++i) {
    const std::string name = std::string("fairness.") + kCases[i].name;
    latencies[i].record(name, figures);
    shares[i].record(name + ".share", figures);
    figures.set(name + ".limit.p50_us", alone.p50_us() + shares[i].p50_us());
    figures.set(name + ".limit.p99_us", alone.p99_us() + shares[i].p99_us());
  }
  figures.print();
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  all(effort_wanted(argc, argv).rounds);
}
