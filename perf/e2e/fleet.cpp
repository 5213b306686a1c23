// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/fleet.cpp - the real daemon with 1,000 VMs, law balance: what a request for one VM, a list of
// all, and a turn of the policy over all cost its control thread. Beside it a baseline, another
// vballoond, in turns: --baseline PATH, or VBALLOON_BASELINE.
//
// Processor time of the control thread (schedstat), less what it takes in that time when nobody
// asks for anything: its timers look at all VMs 50 times a second. Both daemons run all the time,
// each with guests of its own; the one whose turn it is not is idle. Nothing but RPC and
// configuration keys that both know.
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "support/daemon.hpp"
#include "support/figures.hpp"
#include "support/fleet_side.hpp"
#include "support/rounds.hpp"

namespace vballoon::perf {
namespace {

constexpr unsigned kVms = 1000;
constexpr unsigned kFewVms = 200;

/// Those that are short come more often: what the machine does meanwhile is in few of them.
enum Step : std::uint8_t { kIdle, kSet, kList, kTurns, kEnd };
constexpr std::array kRound{kIdle, kSet, kList, kSet, kList, kSet, kList, kTurns};

/// What one daemon has shown, in the order in which it was measured.
struct Shown {
  void add(Step step, const FleetRound& round) {
    if (step == kIdle) idle_percent.push_back(round.idle_percent);
    if (step == kTurns) turn.push_back(round.turn);
    if (step == kSet) {
      set.push_back(round.set);
      set_wall.push_back(round.set_wall);
    }
    if (step == kList) {
      list.push_back(round.list);
      list_wall.push_back(round.list_wall);
    }
  }
  void record(const std::string& prefix, Figures& figures) const {
    figures.set(prefix + "set_us", median(set));
    figures.set(prefix + "set_wall_us", median(set_wall));
    figures.set(prefix + "list_us", median(list));
    figures.set(prefix + "list_wall_us", median(list_wall));
    figures.set(prefix + "turn_us", median(turn));
    figures.set(prefix + "idle_percent", median(idle_percent));
  }
  std::vector<double> set, set_wall, list, list_wall, turn, idle_percent;
};

/// A side in a process of its own: one process does not get the descriptors of two thousand VMs.
class Contender {
 public:
  /// @param prefix  of its keys. @pre no other thread runs.
  Contender(std::string prefix, unsigned vms, const std::string& program)
      : prefix_(std::move(prefix)) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      give_up("no socket pair");
    }
    ours_ = UniqueFd(ends[0]);
    const UniqueFd theirs(ends[1]);
    pid_ = ::fork();
    if (pid_ < 0) give_up("fork failed");
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ours_.reset();
      live(theirs.get(), vms, program);
      ::_exit(0);
    }
    wait();
  }
  ~Contender() {
    tell(kEnd);
    ::waitpid(pid_, nullptr, 0);
  }
  Contender(const Contender&) = delete;
  Contender& operator=(const Contender&) = delete;

  [[nodiscard]] const std::string& prefix() const noexcept { return prefix_; }
  [[nodiscard]] const Shown& shown() const noexcept { return shown_; }
  void take(Step step) {
    tell(step);
    wait();
    shown_.add(step, round_);
  }

 private:
  static constexpr std::array kWays{&FleetSide::idle, &FleetSide::set, &FleetSide::list,
                                    &FleetSide::turns};

  static void live(int parent, unsigned vms, const std::string& program) {
    FleetSide side(vms, program);
    for (Step step = kEnd;;) {
      if (::send(parent, &side.round(), sizeof(FleetRound), MSG_NOSIGNAL) < 0) return;
      if (::recv(parent, &step, sizeof(step), 0) != sizeof(step) || step >= kEnd) return;
      (side.*kWays[step])();
    }
  }
  void tell(Step step) const {
    static_cast<void>(::send(ours_.get(), &step, sizeof(step), MSG_NOSIGNAL));
  }
  /// Until it has done what it was told.
  void wait() {
    if (::recv(ours_.get(), &round_, sizeof(round_), 0) != sizeof(round_)) {
      give_up("the process with the guests has ended");
    }
  }

  std::string prefix_;
  UniqueFd ours_;
  pid_t pid_ = -1;
  FleetRound round_;
  Shown shown_;
};

/// Each step by one daemon and then by the other; who is first changes from round to round.
/// @param rounds  even, so that each is first as often as the other.
void measure(std::vector<Contender*> contenders, unsigned rounds) {
  for (unsigned round = 0; round < rounds; ++round) {
    progress(fmt::format("round {} of {}", round + 1, rounds));
    for (const Step step : kRound) {
      for (Contender* contender : contenders) contender->take(step);
    }
    std::ranges::reverse(contenders);
  }
}

struct Ratio {
  const char* key;
  std::vector<double> Shown::*of;
};
constexpr Ratio kRatios[] = {{"fleet.set.vs_baseline", &Shown::set},
                             {"fleet.list.vs_baseline", &Shown::list},
                             {"fleet.turn.vs_baseline", &Shown::turn}};

/// Of what was measured one after the other: what the machine does meanwhile cancels.
std::vector<double> ratios(const std::vector<double>& above, const std::vector<double>& below) {
  std::vector<double> found;
  for (std::size_t i = 0; i < above.size(); ++i) found.push_back(above[i] / below[i]);
  return found;
}

void alone(Contender& candidate, unsigned rounds, Figures& figures) {
  measure({&candidate}, rounds);
  for (const auto& [key, of] : kRatios) {
    figures.missing(key, "no baseline: perf/run --baseline DAEMON");
  }
}

void compare(Contender& candidate, Contender& baseline, unsigned rounds, Figures& figures) {
  measure({&candidate, &baseline}, rounds);
  baseline.shown().record(baseline.prefix(), figures);
  for (const auto& [key, of] : kRatios) {
    figures.set(key, median(ratios(candidate.shown().*of, baseline.shown().*of)));
  }
}

void run(unsigned vms, unsigned rounds, const std::string& program, Figures& figures) {
  Contender candidate("fleet.", vms, "");
  if (program.empty()) {
    alone(candidate, rounds, figures);
  } else {
    Contender baseline("fleet.baseline.", vms, program);
    compare(candidate, baseline, rounds, figures);
  }
  candidate.shown().record(candidate.prefix(), figures);
  figures.set("fleet.vms", vms);
}

/// Takes `--baseline PATH` out of the command line.
std::string take_baseline(std::vector<char*>* words) {
  const char* const named = std::getenv("VBALLOON_BASELINE");
  std::string path = named != nullptr ? named : "";
  const auto at = std::ranges::find(*words, std::string_view("--baseline"));
  if (at != words->end()) {
    if (at + 1 == words->end()) give_up("--baseline takes the path of a vballoond");
    path = *(at + 1);
    words->erase(at, at + 2);
  }
  if (!path.empty() && ::access(path.c_str(), X_OK) != 0) give_up("cannot run " + path);
  return path;
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  std::vector<char*> words(argv, argv + argc);
  const std::string baseline = take_baseline(&words);
  const Effort effort = effort_wanted(static_cast<int>(words.size()), words.data());
  const bool quick = effort.rounds <= kLeastRounds;
  raise_file_limit();
  Figures figures;
  run(quick ? kFewVms : kVms, effort.rounds + effort.rounds % 2, baseline, figures);
  figures.print();
}
