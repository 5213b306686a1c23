// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/ack.cpp - how long a driver waits for its buffer: available published to used seen.
//
// Two cores: the poll lcore has one, the driver the other. There is no third for a reclaim lcore,
// so the driver's thread does its work too, between two buffers, outside of what is measured; the
// inline variants discard on the poll lcore, as the daemon does without reclaim lcores.
#include <fmt/format.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "poll/poller.hpp"
#include "reclaim/discarder.hpp"
#include "support/cpu.hpp"
#include "support/figures.hpp"
#include "support/order.hpp"
#include "support/rounds.hpp"
#include "support/vm.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kBytes = kGiB;

/// The quantiles of one variant, a pair a round.
struct Latency {
  std::vector<double> p50_us;
  std::vector<double> p99_us;
};

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
  out.p50_us.push_back(quantile(us, 0.50));
  out.p99_us.push_back(quantile(us, 0.99));
}

/// A thread on the other core, joined at the end of the scope.
class Other {
 public:
  explicit Other(std::function<void()> body)
      : thread_([body = std::move(body)] {
          pin(kOtherCpu);
          body();
        }) {}
  ~Other() { thread_.join(); }
  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;

 private:
  std::thread thread_;
};

/// @param engine  null: the poll lcore discards itself.
void through_poller(const MemoryFile& ram, std::span<const Pfn> pfns, Ack ack,
                    reclaim::Engine* engine, Latency& out) {
  ram.populate();
  reclaim::HolePuncher puncher;
  poll::Poller poller(kOtherCpu, poll::IdleStrategy::kSpin, puncher);
  if (engine != nullptr) poller.use_engine(*engine, 0);
  Vm vm(ram, {}, ack);
  const Other lcore([&poller] { poller.run(); });
  poller.attach(vm.path(), 0);
  const auto work = [engine] {
    if (engine != nullptr) static_cast<void>(engine->work(0));
  };
  drive(vm, pfns, work, out);
  while (ram.allocated_bytes() != 0) work();
  poller.detach(vm.path());
  poller.stop();
}

/// No balloon at all: a thread that answers each buffer after doing `work` for it.
void through_echo(Vm& vm, const MemoryFile& ram, std::span<const Pfn> pfns, bool by_page,
                  Latency& out) {
  ram.populate();
  const std::size_t buffers = pfns.size() / Vm::kPagesPerBuffer;
  const Other echo([&] {
    for (std::size_t i = 0; i < buffers; ++i) {
      while (!vm.available()) __builtin_ia32_pause();
      if (by_page) punch_by_page(ram, pfns.subspan(i * Vm::kPagesPerBuffer, Vm::kPagesPerBuffer));
      vm.answer();
    }
  });
  drive(vm, pfns, {}, out);
}

void record(const std::string& name, const Latency& latency, Figures& figures) {
  figures.set(name + ".p50_us", median(latency.p50_us));
  figures.set(name + ".p99_us", median(latency.p99_us));
}

void all(unsigned rounds) {
  start_eal();
  pin(kOurCpu);
  const auto ram = or_give_up(MemoryFile::create(Kind::kSmall, kBytes));
  const std::vector<Pfn> up = pages_in(kAscending, ram);
  reclaim::HolePuncher puncher;
  const auto engine = or_give_up(reclaim::Engine::create(1, 1, puncher));
  Latency early, early_inline, late_inline, by_page, limit;
  Vm bare(ram, {}, Ack::kEarly, 0);
  for (unsigned round = 0; round < rounds; ++round) {
    progress(fmt::format("acknowledgement: round {} of {}", round + 1, rounds));
    through_poller(ram, up, Ack::kEarly, engine.get(), early);
    through_echo(bare, ram, up, false, limit);
    through_poller(ram, up, Ack::kEarly, nullptr, early_inline);
    through_poller(ram, up, Ack::kLate, nullptr, late_inline);
    through_echo(bare, ram, up, true, by_page);
  }
  Figures figures;
  record("ack.early", early, figures);
  record("ack.early_inline", early_inline, figures);
  record("ack.late_inline", late_inline, figures);
  record("ack.by_page", by_page, figures);
  record("ack.limit", limit, figures);
  figures.print();
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  all(rounds_wanted(argc, argv));
}
