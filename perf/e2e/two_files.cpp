// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/two_files.cpp - two VMs with a reclaim lcore each, against both with one.
//
// Two cores in all: the first also polls the rings and drives them, between two bursts of batches.
// With one reclaim lcore that is the second core, and the first one only drives and polls.
#include "lcore/reclaim_lcore.hpp"
#include "reclaim/discarder.hpp"
#include "reclaim/engine.hpp"
#include "support/cpu.hpp"
#include "support/figures.hpp"
#include "support/order.hpp"
#include "support/other_lcore.hpp"
#include "support/rounds.hpp"
#include "support/vm.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kBytes = 256 * kMiB;
constexpr unsigned kOurWorker = 0;
constexpr unsigned kOtherWorker = 1;

/// One VM's stream, a buffer at a time.
class Stream {
 public:
  Stream(const MemoryFile& ram)
      : ram_(ram), pages_(pages_in(kAscending, ram)), vm_(ram, {}, Ack::kEarly) {}

  void begin(reclaim::BatchSink& sink) {
    ram_.populate();
    vm_.reset();
    vm_.path().set_sink(sink);
    rest_ = pages_;
  }
  /// @return false when all has been sent and nothing is on its way.
  bool step() {
    if (!rest_.empty() && vm_.used()) {
      vm_.send(rest_.first(Vm::kPagesPerBuffer));
      rest_ = rest_.subspan(Vm::kPagesPerBuffer);
    }
    static_cast<void>(vm_.path().poll());
    return !rest_.empty() || !vm_.used() || vm_.path().restless();
  }

 private:
  const MemoryFile& ram_;
  const std::vector<Pfn> pages_;
  Vm vm_;
  std::span<const Pfn> rest_;
};

void race(reclaim::Engine& engine, Stream& first, Stream& second, bool help) {
  for (bool going = true; going;) {
    going = first.step();
    going = second.step() || going;
    if (help) static_cast<void>(engine.work(kOurWorker));
  }
}

void all(Effort effort) {
  start_eal();
  pin(kOurCpu);
  const auto first_ram = or_give_up(MemoryFile::create(Kind::kSmall, kBytes));
  const auto second_ram = or_give_up(MemoryFile::create(Kind::kSmall, kBytes));
  reclaim::HolePuncher puncher;
  const auto engine = or_give_up(reclaim::Engine::create(2, puncher));
  Stream first(first_ram);
  Stream second(second_ram);
  lcore::ReclaimLcore lcore(kOtherCpu, *engine, kOtherWorker, lcore::IdleStrategy::kSpin);
  const OtherLcore other(lcore);
  const auto begin = [&](unsigned first_worker) {
    first.begin(engine->sink(first_worker));
    second.begin(engine->sink(kOtherWorker));
  };
  const std::uint64_t pages = first_ram.pages() + second_ram.pages();
  const auto fill = [&] {
    first_ram.populate();
    second_ram.populate();
  };
  Rounds turns(now_ns);
  turns.add(
      "one", pages, [&] { begin(kOtherWorker); }, [&] { race(*engine, first, second, false); });
  turns.add(
      "two", pages, [&] { begin(kOurWorker); }, [&] { race(*engine, first, second, true); });
  turns.add("limit", pages, fill, [&] {
    const OtherThread half([&] { punch_all(second_ram); });
    punch_all(first_ram);
  });
  turns.run(effort.many, "two files");
  Figures figures;
  for (const char* name : {"one", "two", "limit"}) {
    figures.set(std::string("scale.two_files.") + name + "_ns_per_page", turns.ns(name));
  }
  figures.set("scale.two_files.speedup", turns.ratio("one", "two"));
  figures.set("scale.two_files.limit_speedup", turns.ratio("one", "limit"));
  figures.print();
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  all(effort_wanted(argc, argv));
}
