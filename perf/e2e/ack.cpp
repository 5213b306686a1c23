// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/ack.cpp - how long a driver waits for its buffer: available published to used seen.
//
// Two cores: the poll lcore has one, the driver the other. There is no third for a reclaim lcore,
// so the driver's thread does its work too, between two buffers, outside of what is measured; the
// inline variants discard on the poll lcore, as the daemon does without reclaim lcores.
#include <fmt/format.h>

#include <functional>
#include <string>

#include "lcore/poller.hpp"
#include "reclaim/discarder.hpp"
#include "support/cpu.hpp"
#include "support/figures.hpp"
#include "support/latency.hpp"
#include "support/order.hpp"
#include "support/other_lcore.hpp"
#include "support/rounds.hpp"
#include "support/vm.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kBytes = 512 * kMiB;

/// One round of the driver: every page once, one buffer outstanding.
/// @param between  what its core does between two buffers.
void drive(Vm& vm, std::span<const Pfn> pfns, const std::function<void()>& between, Latency& out) {
  std::vector<double> us;
  us.reserve(pfns.size() / Vm::kPagesPerBuffer);
  for (; !pfns.empty(); pfns = pfns.subspan(Vm::kPagesPerBuffer)) {
    vm.write(pfns.first(Vm::kPagesPerBuffer));
    const double begin = now_ns();
    vm.publish();
    while (!vm.used()) __builtin_ia32_pause();
    us.push_back((now_ns() - begin) / 1000);
    if (between) between();
  }
  out.add_round(us);
}

/// @param engine  null: the poll lcore discards itself.
void through_poller(const MemoryFile& ram, std::span<const Pfn> pfns, Ack ack,
                    reclaim::Engine* engine, Latency& out) {
  ram.populate();
  reclaim::HolePuncher puncher;
  lcore::Poller poller(kOtherCpu, lcore::IdleStrategy::kSpin, puncher);
  if (engine != nullptr) poller.use_engine(*engine);
  Vm vm(ram, {}, ack);
  const OtherLcore lcore(poller);
  const Attached attached(poller, vm.path());
  const auto work = [engine] {
    if (engine != nullptr) static_cast<void>(engine->work(0));
  };
  drive(vm, pfns, work, out);
  while (ram.allocated_bytes() != 0) work();
}

/// No balloon at all: a thread that answers each buffer after doing `work` for it.
void through_echo(Vm& vm, const MemoryFile& ram, std::span<const Pfn> pfns, bool by_page,
                  Latency& out) {
  if (by_page) ram.populate();
  const std::size_t buffers = pfns.size() / Vm::kPagesPerBuffer;
  const OtherThread echo([&] {
    for (std::size_t i = 0; i < buffers; ++i) {
      while (!vm.available()) __builtin_ia32_pause();
      if (by_page) punch_by_page(ram, pfns.subspan(i * Vm::kPagesPerBuffer, Vm::kPagesPerBuffer));
      vm.answer();
    }
  });
  drive(vm, pfns, {}, out);
}

void all(Effort effort) {
  start_eal();
  pin(kOurCpu);
  const auto ram = or_give_up(MemoryFile::create(Kind::kSmall, kBytes));
  const std::vector<Pfn> up = pages_in(kAscending, ram);
  const auto part = std::span(up).first(up.size() / 4);  // by page: each buffer is like the others
  reclaim::HolePuncher puncher;
  const auto engine = or_give_up(reclaim::Engine::create(1, puncher));
  Latency early, early_inline, late_inline, by_page, limit;
  Vm bare(ram, {}, Ack::kEarly, 0);
  for (unsigned round = 0; round < effort.rounds; ++round) {
    progress(fmt::format("acknowledgement: round {} of {}", round + 1, effort.rounds));
    through_poller(ram, up, Ack::kEarly, engine.get(), early);
    through_echo(bare, ram, up, false, limit);
    through_poller(ram, up, Ack::kEarly, nullptr, early_inline);
    through_poller(ram, up, Ack::kLate, nullptr, late_inline);
    through_echo(bare, ram, part, true, by_page);
  }
  Figures figures;
  early.record("ack.early", figures);
  early_inline.record("ack.early_inline", figures);
  late_inline.record("ack.late_inline", figures);
  by_page.record("ack.by_page", figures);
  limit.record("ack.limit", figures);
  figures.print();
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  all(effort_wanted(argc, argv));
}
