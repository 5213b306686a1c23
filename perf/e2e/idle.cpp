// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/idle.cpp - what an empty pass of a poll lcore costs a ring: its real loop, mailbox and pause
// included, by the lcore's own processor time. The limit reads the same indices and does no more.
#include <fmt/format.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <memory>

#include "lcore/poller.hpp"
#include "reclaim/discarder.hpp"
#include "support/cpu.hpp"
#include "support/daemon.hpp"
#include "support/figures.hpp"
#include "support/other_lcore.hpp"
#include "support/rounds.hpp"
#include "support/vm.hpp"

namespace vballoon::perf {
namespace {

constexpr unsigned kSampleUs = 100'000;

struct Fleet {
  unsigned vms;
  unsigned rings_a_vm;
  [[nodiscard]] unsigned rings() const { return vms * rings_a_vm; }
};

double cpu_ns(OtherLcore<lcore::Poller>& lcore) {
  clockid_t clock{};
  timespec time{};
  if (::pthread_getcpuclockid(lcore.handle(), &clock) != 0) give_up("no thread clock");
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

/// Nanoseconds a pass, from the lcore's own counters.
double sample(const lcore::Poller& poller, OtherLcore<lcore::Poller>& lcore) {
  const std::uint64_t passes = poller.counters().passes.get();
  const double begin = cpu_ns(lcore);
  ::usleep(kSampleUs);
  const double took = cpu_ns(lcore) - begin;
  return took / static_cast<double>(poller.counters().passes.get() - passes);
}

/// Nothing but one load a ring.
double bare_pass_ns(const std::vector<std::unique_ptr<Vm>>& vms, unsigned rings_a_vm) {
  constexpr std::size_t kLoads = 10'000'000;
  std::vector<const std::uint16_t*> words;
  for (const auto& vm : vms) {
    for (unsigned ring = 0; ring < rings_a_vm; ++ring) words.push_back(vm->avail_index(ring));
  }
  const std::size_t passes = kLoads / words.size();
  const double begin = thread_ns();
  for (std::size_t pass = 0; pass < passes; ++pass) {
    std::uint16_t sum = 0;
    for (const std::uint16_t* word : words) {
      sum = static_cast<std::uint16_t>(sum + __atomic_load_n(word, __ATOMIC_RELAXED));
    }
    asm volatile("" ::"r"(sum));
  }
  return (thread_ns() - begin) / static_cast<double>(passes);
}

void measure(const MemoryFile& ram, Fleet fleet, unsigned rounds, Figures& figures) {
  std::vector<std::unique_ptr<Vm>> vms;
  for (unsigned i = 0; i < fleet.vms; ++i) {
    vms.push_back(
        std::make_unique<Vm>(ram, reclaim::ReclaimLimits{}, Ack::kEarly, fleet.rings_a_vm));
  }
  reclaim::HolePuncher puncher;
  lcore::Poller poller(kOtherCpu, lcore::IdleStrategy::kSpin, puncher);
  OtherLcore lcore(poller);
  for (const auto& vm : vms) poller.attach(vm->path(), 0);
  std::vector<double> pass_ns, bare_ns;
  for (unsigned round = 0; round < rounds; ++round) {
    progress(fmt::format("{} idle rings: round {} of {}", fleet.rings(), round + 1, rounds));
    pass_ns.push_back(sample(poller, lcore));
    bare_ns.push_back(bare_pass_ns(vms, fleet.rings_a_vm));
  }
  for (const auto& vm : vms) poller.detach(vm->path());
  const std::string key = fmt::format("poll.idle_ring_ns.{}", fleet.rings());
  figures.set(key, median(pass_ns) / fleet.rings());
  figures.set(key + ".limit", median(bare_ns) / fleet.rings());
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon;
  using namespace vballoon::perf;
  const unsigned rounds = effort_wanted(argc, argv).rounds;
  raise_file_limit();
  pin(kOurCpu);
  const auto ram = or_give_up(MemoryFile::create(Kind::kSmall, 2 * kMiB));
  Figures figures;
  for (const Fleet fleet : {Fleet{4, 2}, Fleet{64, 5}, Fleet{1000, 5}}) {
    measure(ram, fleet, rounds, figures);
  }
  figures.print();
}
