// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/stall.cpp - what a VM's buffers wait for while another VM's VMM loops fallocate() and holes
// over its own memory file, which holds the file's lock against a discard there. Beside it,
// alternately, the same load on a file that no VM has. Then the slow VM is to leave its lcore in
// the middle of it, as a message of its VMM has it: the event thread, which all VMs share, waits
// for that.
//
// The posts, the crew and its guard are those of the daemon; both VMs' drivers are one thread on
// one core, the lcores are on the other and sleep while idle. The VMM's two threads are nice:
// waits for each other are measured, not for the cpu.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "lcore/crew.hpp"
#include "lcore/poller.hpp"
#include "lcore/reclaim_lcore.hpp"
#include "reclaim/discarder.hpp"
#include "reclaim/engine.hpp"
#include "support/cpu.hpp"
#include "support/figures.hpp"
#include "support/latency.hpp"
#include "support/order.hpp"
#include "support/rounds.hpp"
#include "support/vm.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kHonestBytes = 128 * kMiB;
constexpr std::uint64_t kSlowBytes = kGiB;
constexpr double kPhaseNs = 2e9;             // what one turn measures
constexpr double kScatterNs = 0.5e9;         // and how long fragments are given after it
constexpr double kBetweenNs = 20'000;        // config messages, and the guest's allocator
constexpr int kNice = 10;                    // of the VMM that works on the file
constexpr unsigned kBuffersOfTheOther = 20;  // honest buffers between two of the slow VM's

/// A VMM that works on a file, until the end of the scope: one thread allocates, one punches.
class Vmm {
 public:
  explicit Vmm(const MemoryFile& file)
      : fd_(file.fd()),
        bytes_(static_cast<off_t>(file.bytes())),
        fills_([this](const std::stop_token& stop) { loop(stop, 0); }),
        punches_([this](const std::stop_token& stop) {
          loop(stop, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
        }) {}

 private:
  void loop(const std::stop_token& stop, int mode) const {
    static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice));
    while (!stop.stop_requested()) static_cast<void>(::fallocate(fd_, mode, 0, bytes_));
  }
  const int fd_;
  const off_t bytes_;
  std::jthread fills_;
  std::jthread punches_;
};

/// The lcores on their core, and the guard; as the daemon has them.
class Lcores {
 public:
  explicit Lcores(bool reclaim_lcore) : poller(kOtherCpu, lcore::IdleStrategy::kBackoff, puncher_) {
    if (reclaim_lcore) {
      engine_ = or_give_up(reclaim::Engine::create(1, puncher_));
      poller.use_engine(*engine_);
      reclaim_ = std::make_unique<lcore::ReclaimLcore>(kOtherCpu, *engine_, 0,
                                                       lcore::IdleStrategy::kBackoff);
    }
    crew_ = std::make_unique<lcore::Crew>(engine_.get());
    poller.use_crew(*crew_);
    crew_->recruit();
    run(poller);
    if (reclaim_) run(*reclaim_);
    guard_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  }
  ~Lcores() {
    guard_.request_stop();
    guard_.join();
    poller.stop();
    if (reclaim_) reclaim_->stop();
    crew_->stop();
  }
  Lcores(const Lcores&) = delete;
  Lcores& operator=(const Lcores&) = delete;

  /// The longest that a seat has made no progress, in ms.
  [[nodiscard]] double longest_ms() const { return longest_ns_.load() / 1e6; }

  lcore::Poller poller;

 private:
  void run(lcore::Post& post) {
    threads_.emplace_back([this, &post] {
      pin(kOtherCpu);
      crew_->serve(post);
    });
  }
  /// Every 10 ms it looks as the daemon's guard does; every one it looks how far the seats are.
  void watch(const std::stop_token& stop) {
    struct Seat {
      const lcore::Post* post;
      std::uint64_t progress;
      double since_ns;
    };
    std::vector<Seat> seats{{&poller, 0, now_ns()}};
    if (reclaim_) seats.push_back({reclaim_.get(), 0, now_ns()});
    for (unsigned turn = 0; !stop.stop_requested(); ++turn) {
      if (turn % 10 == 0) {
        crew_->look();
        crew_->recruit();
      }
      for (Seat& seat : seats) {
        const double now = now_ns();
        const std::uint64_t progress = seat.post->progress();
        longest_ns_ = std::max(longest_ns_.load(), now - seat.since_ns);
        if (std::exchange(seat.progress, progress) != progress) seat.since_ns = now;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  reclaim::HolePuncher puncher_;
  std::unique_ptr<reclaim::Engine> engine_;
  std::unique_ptr<lcore::ReclaimLcore> reclaim_;
  std::unique_ptr<lcore::Crew> crew_;
  std::vector<std::jthread> threads_;
  std::atomic<double> longest_ns_{0};  // written by the guard
  std::jthread guard_;
};

/// What one load has led to.
struct Outcome {
  Latency latency;
  std::vector<double> longest_ms;
  std::vector<double>
      leave_ms;  // that the slow VM took to leave its lcore: a message may wait for it
  std::uint64_t moves = 0;
};

double longest(const std::vector<double>& ms) {
  return *std::max_element(ms.begin(), ms.end());
}

class Pair {
 public:
  Pair()
      : honest_ram_(or_give_up(MemoryFile::create(Kind::kSmall, kHonestBytes))),
        slow_ram_(or_give_up(MemoryFile::create(Kind::kSmall, kSlowBytes))),
        nobodys_(or_give_up(MemoryFile::create(Kind::kSmall, kSlowBytes))),
        honest_pages_(pages_in(kAscending, honest_ram_)),
        slow_pages_(pages_in(kAscending, slow_ram_)),
        scattered_(pages_in(kRandom, slow_ram_)) {}

  void measure(bool reclaim_lcore, bool own_file, Outcome& out) {
    Vm honest(honest_ram_, {}, Ack::kEarly);
    Vm slow(slow_ram_, {}, Ack::kEarly);
    Lcores lcores(reclaim_lcore);
    lcores.poller.attach(honest.path(), 0);
    lcores.poller.attach(slow.path(), 0);
    {
      const Vmm vmm(own_file ? slow_ram_ : nobodys_);
      drive(honest, slow, out.latency);
      out.longest_ms.push_back(lcores.longest_ms());
      give_scattered(slow);
      const double begin = now_ns();
      lcores.poller.detach(slow.path());
      out.leave_ms.push_back((now_ns() - begin) / 1e6);
    }
    out.moves += slow.path().conduct()->lane_moves.get();
    lcores.poller.detach(honest.path());
    for (const MemoryFile* file : {&slow_ram_, &nobodys_}) file->punch(0, file->bytes());
  }

 private:
  /// Both have one buffer outstanding; nobody waits for the slow one's.
  void drive(Vm& honest, Vm& slow, Latency& out) {
    std::vector<double> us;
    const double stop = now_ns() + kPhaseNs;
    for (std::size_t i = 0; now_ns() < stop; ++i) {
      if (i % kBuffersOfTheOther == 0 && slow.used()) slow.send(buffer(slow_pages_, i));
      honest.write(buffer(honest_pages_, i));
      const double begin = now_ns();
      honest.publish();
      while (!honest.used()) __builtin_ia32_pause();
      const double end = now_ns();
      us.push_back((end - begin) / 1000);
      while (now_ns() < end + kBetweenNs) __builtin_ia32_pause();
    }
    out.add_round(us);
  }
  /// So that many holes are still to be punched.
  void give_scattered(Vm& slow) {
    const double stop = now_ns() + kScatterNs;
    for (std::size_t i = 0; now_ns() < stop;) {
      if (slow.used()) slow.send(buffer(scattered_, i++));
    }
  }
  static std::span<const Pfn> buffer(const std::vector<Pfn>& pages, std::size_t i) {
    return std::span(pages).subspan(i * Vm::kPagesPerBuffer % pages.size(), Vm::kPagesPerBuffer);
  }

  MemoryFile honest_ram_;
  MemoryFile slow_ram_;
  MemoryFile nobodys_;
  std::vector<Pfn> honest_pages_;
  std::vector<Pfn> slow_pages_;
  std::vector<Pfn> scattered_;  // the same, a hole each
};

void all(unsigned rounds) {
  start_eal();
  pin(kOurCpu);
  Pair pair;
  struct Case {
    const char* name;
    bool reclaim_lcore;
    Outcome control, slow;
  };
  std::array<Case, 2> cases{Case{"inline", false, {}, {}}, Case{"reclaim_lcore", true, {}, {}}};
  for (unsigned round = 0; round < rounds; ++round) {
    progress(fmt::format("stall: round {} of {}", round + 1, rounds));
    for (Case& one : cases) {
      pair.measure(one.reclaim_lcore, false, one.control);
      pair.measure(one.reclaim_lcore, true, one.slow);
    }
  }
  Figures figures;
  for (const Case& one : cases) {
    const std::string name = std::string("stall.") + one.name;
    one.slow.latency.record(name, figures);
    one.control.latency.record(name + ".control", figures);
    figures.set(name + ".p99_ratio", one.slow.latency.p99_us() / one.control.latency.p99_us());
    figures.set(name + ".longest_ms", median(one.slow.longest_ms));
    figures.set(name + ".control.longest_ms", median(one.control.longest_ms));
    figures.set(name + ".leave_ms", longest(one.slow.leave_ms));
    figures.set(name + ".control.leave_ms", longest(one.control.leave_ms));
    figures.set(name + ".moves", static_cast<double>(one.slow.moves));
  }
  figures.print();
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  all(effort_wanted(argc, argv).rounds);
}
