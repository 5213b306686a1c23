// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/restart.cpp - the real daemon under vballoon-keeper, killed again and again: how long guests
// under load wait for it, and how soon the next daemon serves 300 VMs again.
//
// A guest's wait is the longest time in which no buffer of it came back, over a kill: 100 guests
// that inflate and deflate all the time, one buffer each, on one thread. Beside the start of a
// daemon that takes up 300 VMs, in turns, that of one which has 300 devices and no VM.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>
#include <utility>

#include "driver/child_process.hpp"
#include "driver/temporary_folder.hpp"
#include "rpc/client.hpp"
#include "support/daemon.hpp"
#include "support/figures.hpp"
#include "support/order.hpp"
#include "support/rounds.hpp"
#include "support/stock_guest.hpp"

namespace vballoon::perf {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned kLoaded = 100;
constexpr unsigned kMany = 300;
constexpr std::uint64_t kVmBytes = 4 * kMiB;
constexpr milliseconds kUnderWay{300};
/// A VM that is taken up ten times in a row, without a second of service, is let go of.
constexpr milliseconds kSteady{1500};
constexpr seconds kPatience{60};

std::string program(const char* name) {
  const auto here = fs::read_symlink("/proc/self/exe").parent_path().parent_path();
  const auto path = here / "app" / name / name;
  if (!fs::exists(path)) give_up(fmt::format("no {}: build it first", path.string()));
  return path.string();
}

class KeptDaemon {
 public:
  /// @pre no other thread runs.
  explicit KeptDaemon(unsigned devices) {
    std::ofstream(folder_.path() / "toml") << config(devices);
    or_give_up(
        keeper_.start({program("vballoon-keeper"), "--longest-pause", "0.01", "--steady", "0", "--",
                       program("vballoond"), "--dev", "--rpc", folder_.path() / "rpc", "--state",
                       folder_.path() / "state", "--config", folder_.path() / "toml"},
                      folder_.path() / "log"));
    await(-1);
  }
  ~KeptDaemon() {
    keeper_.send(SIGTERM);
    if (!keeper_.wait(kPatience)) give_up("the keeper does not end");
  }
  KeptDaemon(const KeptDaemon&) = delete;
  KeptDaemon& operator=(const KeptDaemon&) = delete;

  [[nodiscard]] driver::MessageSocket connect(unsigned device) const {
    return or_give_up(driver::MessageSocket::connect(socket(device), driver::Deadline(kPatience)));
  }
  /// Kills it, which is the n-th time that its VMs live through.
  /// @return milliseconds from the next process's start until that serves all of them.
  double replace(unsigned n) {
    const pid_t old = child();
    ::kill(old, SIGKILL);
    const double began = await(old);
    const driver::Deadline deadline(kPatience);
    while (!serves_all(n)) {
      if (deadline.passed()) give_up("a VM was lost:\n" + log());
      std::this_thread::sleep_for(milliseconds(5));
    }
    return (now_ns() - began) / 1e6;
  }
  /// What the daemon says of each VM.
  [[nodiscard]] rpc::Json restarts() const {
    auto client = or_give_up(connected());
    auto said = client.call("daemon.restarts", rpc::Json::object(), kPatience);
    if (!said) give_up(said.error().message);
    return said->at("vms");
  }

 private:
  [[nodiscard]] std::string log() const { return driver::text_of(folder_.path() / "log"); }
  [[nodiscard]] std::string socket(unsigned device) const {
    return folder_.path() / fmt::format("vm{}.sock", device);
  }
  [[nodiscard]] std::string config(unsigned devices) const {
    std::string text = "[daemon]\nlog_level = \"warning\"\n[eal]\nmemory_mib = 256\n";
    for (unsigned device = 0; device < devices; ++device) {
      text += fmt::format("[[device]]\nname = \"vm{}\"\nsocket = \"{}\"\n", device, socket(device));
    }
    return text;
  }
  /// -1 where there is none.
  [[nodiscard]] pid_t child() const {
    std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", keeper_.pid()));
    pid_t child = -1;
    children >> child;
    return children ? child : -1;
  }
  [[nodiscard]] Result<rpc::Client> connected() const {
    auto client = rpc::Client::connect(folder_.path() / "rpc");
    if (client) return *std::move(client);
    return fail(Code::kUnavailable, client.error().message);
  }
  [[nodiscard]] bool serves_all(unsigned restarts) const {
    const rpc::Json vms = this->restarts();
    return std::ranges::all_of(vms, [restarts](const rpc::Json& vm) {
      return vm.at("state") == "running" && vm.at("restarts").at("count") == restarts;
    });
  }
  /// Until another one than this answers. @return when it was started.
  double await(pid_t old) {
    const driver::Deadline deadline(kPatience);
    while ((child() == old || child() < 0) && !deadline.passed()) {
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
    const double began = now_ns();
    while (!deadline.passed()) {
      auto client = connected();
      if (client && client->call("version", rpc::Json::object(), kPatience)) {
        return began;
      }
      std::this_thread::sleep_for(milliseconds(1));
    }
    give_up("no next daemon:\n" + log());
  }

  driver::TemporaryFolder folder_;
  driver::ChildProcess keeper_;
};

/// A guest that is never done.
class BusyVm {
 public:
  explicit BusyVm(driver::MessageSocket socket)
      : guest_(std::move(socket), {.bytes = kVmBytes, .order = kAscending}, Ack::kLate) {
    guest_.begin(role_);
  }
  void turn(double now) {
    const std::uint64_t left = guest_.left();
    const bool more = guest_.step();
    if (more && guest_.left() == left) return;
    longest_ = std::max(longest_, now - last_);
    last_ = now;
    if (more) return;
    role_ = role_ == driver::Role::kInflate ? driver::Role::kDeflate : driver::Role::kInflate;
    guest_.begin(role_);
  }
  /// From now on; @return milliseconds.
  double take_longest(double now) {
    const double longest = std::max(std::exchange(longest_, 0), now - last_);
    last_ = now;
    return longest / 1e6;
  }

 private:
  StockGuest guest_;
  driver::Role role_ = driver::Role::kInflate;
  double last_ = now_ns();
  double longest_ = 0;
};

class Load {
 public:
  Load(const KeptDaemon& daemon, unsigned vms) {
    for (unsigned vm = 0; vm < vms; ++vm) {
      vms_.push_back(std::make_unique<BusyVm>(daemon.connect(vm)));
    }
    thread_ = std::jthread([this](const std::stop_token& end) {
      while (!end.stop_requested()) {
        {
          const std::scoped_lock lock(mutex_);
          for (const auto& vm : vms_) vm->turn(now_ns());
        }
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
    });
  }
  std::vector<double> take_longest() {
    const std::scoped_lock lock(mutex_);
    std::vector<double> all;
    for (const auto& vm : vms_) all.push_back(vm->take_longest(now_ns()));
    return all;
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<BusyVm>> vms_;
  std::jthread thread_;
};

void append(const std::vector<double>& more, std::vector<double>* to) {
  to->insert(to->end(), more.begin(), more.end());
}

void under_load(unsigned kills, Figures& figures) {
  KeptDaemon daemon(kLoaded);
  Load load(daemon, kLoaded);
  std::vector<double> undisturbed;
  std::vector<double> waits;
  std::vector<double> said;
  for (unsigned kill = 0; kill < kills; ++kill) {
    progress(fmt::format("kill {} of {} under {} VMs", kill + 1, kills, kLoaded));
    static_cast<void>(load.take_longest());
    std::this_thread::sleep_for(kSteady);
    append(load.take_longest(), &undisturbed);
    std::this_thread::sleep_for(kUnderWay);
    static_cast<void>(daemon.replace(kill + 1));
    std::this_thread::sleep_for(kUnderWay);
    append(load.take_longest(), &waits);
    for (const rpc::Json& vm : daemon.restarts()) {
      said.push_back(vm.at("restarts").at("last_ms").get<double>());
    }
  }
  figures.set("restart.wait_p50_ms", quantile(waits, 0.5));
  figures.set("restart.wait_p99_ms", quantile(waits, 0.99));
  figures.set("restart.undisturbed_p99_ms", quantile(undisturbed, 0.99));
  figures.set("restart.said_p99_ms", quantile(said, 0.99));
}

double plain_start_ms() {
  const double began = now_ns();
  Daemon daemon(kMany);
  daemon.wait_until_ready();
  const double ready = now_ns();
  daemon.end();
  return (ready - began) / 1e6;
}

void many(unsigned rounds, Figures& figures) {
  std::vector<double> plain;
  std::vector<double> taken_up;
  KeptDaemon daemon(kMany);
  std::vector<std::unique_ptr<StockGuest>> guests;
  for (unsigned vm = 0; vm < kMany; ++vm) {
    const GuestShape shape{.bytes = kVmBytes, .order = kAscending};
    guests.push_back(std::make_unique<StockGuest>(daemon.connect(vm), shape, Ack::kLate));
  }
  for (unsigned round = 0; round < rounds; ++round) {
    progress(fmt::format("start {} of {} with {} VMs", round + 1, rounds, kMany));
    plain.push_back(plain_start_ms());
    std::this_thread::sleep_for(kSteady);
    taken_up.push_back(daemon.replace(round + 1));
  }
  figures.set("restart.300_vms_ms", median(taken_up));
  figures.set("restart.plain_300_devices_ms", median(plain));
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  const Effort effort = effort_wanted(argc, argv);
  raise_file_limit();
  Figures figures;
  many(effort.rounds, figures);
  under_load(effort.rounds, figures);
  figures.print();
}
