// SPDX-License-Identifier: BSD-3-Clause
#include "support/fleet_side.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "support/figures.hpp"
#include "support/rounds.hpp"

namespace vballoon::perf {
namespace {

using std::chrono::milliseconds;

/// Of holes. The law takes all but the floor of each, for its host is always short.
constexpr std::uint64_t kVmBytes = 32 * kMiB;
constexpr unsigned kFloorMib = 8;
/// Set by hand, by 64 MiB and a little more in turns.
constexpr std::uint64_t kManualBytes = kGiB;
constexpr std::uint64_t kTarget = 64 * kMiB;
/// So many answers go into a socket at once, and so do the messages to the VMM.
constexpr unsigned kBatch = 100;
constexpr unsigned kBatches = 50;
constexpr unsigned kAlone = 100;
constexpr unsigned kLists = 5;
constexpr unsigned kTurns = 20;
constexpr unsigned kWarmTurns = 3;
/// Within a turn's interval of 100 ms: guests are asked, 30 ms later is decided, then nothing.
constexpr milliseconds kDecided{60};
constexpr milliseconds kIdleSpan{500};
/// Of the guests, so many come under pressure while turns are measured.
constexpr std::size_t kPressedPart = 100;

}  // namespace

FleetSide::FleetSide(unsigned vms, const std::string& program)
    : daemon_(vms, Lcore::kSleeps, config(program)), manual_at_(vms / 2) {
  attach(vms);
  pipe_.emplace(daemon_.rpc_socket());
  settle();
}

/// A thread's time is brought up to date when it goes to sleep.
double FleetSide::control_ns() const {
  std::this_thread::sleep_for(milliseconds(2));
  return daemon_.control_ns();
}

FleetSide::Start FleetSide::start() const {
  return {control_ns(), now_ns()};
}

/// Processor time since then without the idle share, of each of so many.
double FleetSide::us_each(const Start& since, unsigned count) const {
  const double ns = control_ns() - since.control_ns - idle_share_ * (now_ns() - since.ns);
  return ns / 1e3 / count;
}

void FleetSide::idle() {
  const Start began = start();
  std::this_thread::sleep_for(kIdleSpan);
  idle_share_ = (control_ns() - began.control_ns) / (now_ns() - began.ns);
  round_.idle_percent = 100 * idle_share_;
}

MoreConfig FleetSide::config(const std::string& program) {
  MoreConfig more;
  more.tables =
      "[stats]\ninterval_ms = 0\n[policy]\nlaw = \"balance\"\ninterval_ms = 100\n"
      "host_pressure = \"none\"\nreserve_mib = 1000000\n";
  more.device_keys = fmt::format("floor_mib = {}\n", kFloorMib);
  more.program = program;
  return more;
}

void FleetSide::attach(unsigned vms) {
  progress(fmt::format("{} VMs connect", vms));
  for (unsigned i = 0; i < vms; ++i) {
    const bool manual = i == manual_at_;
    auto guest = std::make_unique<PolicyGuest>(daemon_.connect(i), manual ? kManualBytes : kVmBytes,
                                               Sign::kStatistics, Manner::kFrugal);
    (manual ? manual_ : herd_.emplace_back()) = std::move(guest);
  }
}

void FleetSide::serve() const {
  for (const auto& guest : herd_) guest->serve();
  manual_->answer();
  std::this_thread::sleep_for(std::chrono::microseconds(200));
}

/// All in or all out, but for the one that is set by hand.
void FleetSide::automatic(bool on) {
  std::string requests;
  unsigned count = 0;
  const auto ask = [&] {
    pipe_->ask(requests, std::exchange(count, 0), RpcPipe::Wait::kDozes);
    requests.clear();
  };
  for (unsigned i = 0; i <= herd_.size(); ++i) {
    if (i == manual_at_) continue;
    requests += RpcPipe::line("policy.auto", {{"name", fmt::format("vm{}", i)}, {"on", on}});
    if (++count == kBatch) ask();
  }
  if (count != 0) ask();
  // A turn that has begun is decided all the same.
  if (!on) decided();
}

/// Until guests were asked. The first one is asked first.
void FleetSide::next_turn() {
  const std::uint64_t before = herd_.front()->answered();
  const driver::Deadline deadline(std::chrono::seconds(10));
  while (herd_.front()->answered() == before) {
    if (deadline.passed()) give_up("the policy has no turn");
    serve();
  }
  // Nobody says the same twice; what they say is too little to move anything.
  constexpr std::uint64_t kWaver = 4;
  const std::uint64_t used = (1 + ++turn_ % kWaver) * 16 * kKiB;
  for (const auto& guest : herd_) guest->use(used);
}

/// From next_turn() until the control thread has nothing to do.
void FleetSide::decided() const {
  const driver::Deadline deadline(kDecided);
  while (!deadline.passed()) serve();
}

/// Until the law has its part of each.
void FleetSide::settle() {
  progress("balloons grow");
  automatic(true);
  const driver::Deadline deadline(std::chrono::seconds(120));
  const auto grown = [](const auto& guest) { return guest->balloon() >= kVmBytes / 2; };
  while (!std::ranges::all_of(herd_, grown)) {
    if (deadline.passed()) give_up("balloons do not grow");
    serve();
  }
  automatic(false);
}

double FleetSide::wall_us(const std::string& request, unsigned count) {
  std::vector<double> us;
  for (unsigned i = 0; i < count; ++i) {
    const double began = now_ns();
    pipe_->ask(request, 1, RpcPipe::Wait::kWoken);
    us.push_back((now_ns() - began) / 1e3);
  }
  return median(us);
}

void FleetSide::set() {
  const auto line = [this](std::uint64_t bytes) {
    return RpcPipe::line("device.set",
                         {{"name", fmt::format("vm{}", manual_at_)}, {"target_bytes", bytes}});
  };
  std::string requests;
  for (unsigned i = 0; i < kBatch; ++i) requests += line(kTarget + i % 2 * kMiB);
  const auto ask = [&] {
    pipe_->ask(requests, kBatch, RpcPipe::Wait::kDozes);
    manual_->answer();
  };
  ask();
  const Start began = start();
  for (unsigned i = 0; i < kBatches; ++i) ask();
  round_.set = us_each(began, kBatch * kBatches);
  round_.set_wall = wall_us(line(kTarget), kAlone);
  manual_->answer();
}

void FleetSide::list() {
  const std::string line = RpcPipe::line("device.list", rpc::Json::object());
  pipe_->ask(line, 1, RpcPipe::Wait::kWoken);
  const Start began = start();
  round_.list_wall = wall_us(line, kLists);
  round_.list = us_each(began, kLists);
}

void FleetSide::turns() {
  automatic(true);
  for (unsigned i = 0; i < kWarmTurns; ++i) next_turn();
  decided();
  const Start began = start();
  std::vector<PolicyGuest*> pressed;
  for (std::size_t i = 0; i < herd_.size() / kPressedPart; ++i) {
    pressed.push_back(herd_[chance_() % herd_.size()].get());
    pressed.back()->press(kVmBytes / 4);
  }
  for (unsigned i = 0; i < kTurns; ++i) next_turn();
  decided();
  round_.turn = us_each(began, kTurns);
  for (PolicyGuest* guest : pressed) guest->relieve();
  automatic(false);
}

}  // namespace vballoon::perf
