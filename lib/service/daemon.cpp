// SPDX-License-Identifier: BSD-3-Clause
//
// service/daemon.cpp - starts the parts of the daemon, runs, and stops them in the opposite order.
#include "service/daemon.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <asio/signal_set.hpp>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/group.hpp"
#include "base/in_hand.hpp"
#include "base/log.hpp"
#include "gmem/lost_memory.hpp"
#include "keep/crash_notes.hpp"
#include "keep/notifier.hpp"
#include "keep/store.hpp"
#include "lcore/call_guard.hpp"
#include "lcore/crew.hpp"
#include "lcore/eal.hpp"
#include "lcore/heartbeat.hpp"
#include "lcore/placement/topology.hpp"
#include "lcore/poller.hpp"
#include "lcore/reclaim_lcore.hpp"
#include "policy/autopilot.hpp"
#include "policy/laws.hpp"
#include "reclaim/discarder.hpp"
#include "reclaim/engine.hpp"
#include "reclaim/huge/reserve.hpp"
#include "service/config/config_check.hpp"
#include "service/events/recorder.hpp"
#include "service/first_devices.hpp"
#include "service/process/descriptors.hpp"
#include "service/process/log_level.hpp"
#include "service/process/seccomp.hpp"
#include "service/reloader.hpp"
#include "service/repeater.hpp"
#include "service/rpc/methods.hpp"
#include "service/rpc/server.hpp"
#include "service/succession.hpp"
#include "service/telemetry/telemetry.hpp"
#include "vhost/device_fleet.hpp"
#include "vhost/log_line.hpp"
#include "vm/state/folder.hpp"

namespace vballoon::service {
namespace {

constexpr std::chrono::milliseconds kTick{20};
constexpr std::chrono::seconds kLookForEvents{1};

class Daemon {
 public:
  Daemon(Config config, const DaemonHooks& hooks)
      : config_(std::move(config)),
        hooks_(hooks),
        signals_(loop_),
        tick_(loop_,
              [this] {
                succession_.beat();
                fleet_->tick();
                crew_->recruit();
              }),
        sample_(loop_, [this] { sample_all(); }),
        look_(loop_, [this] { recorder_->look(); }),
        watchdog_(loop_, [this] { pet_watchdog(); }) {}
  ~Daemon() { stop(); }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  Result<void> start();
  void run();

 private:
  Result<void> open_folder();
  Result<void> start_lcores();
  Result<void> start_engine();
  Result<void> start_reclaimers();
  Result<void> start_pollers();
  Result<void> start_devices();
  Result<void> start_autopilot(const FirstDevices& first, std::optional<keep::Book> law_book);
  [[nodiscard]] vhost::FleetSettings fleet_settings(std::optional<gid_t> socket_group) const;
  void start_rpc(RpcSocket socket);
  void start_timers();
  Result<void> confine_process();
  void stop();
  void on_signal(int signal);
  void reload();
  void sample_all();
  void pet_watchdog();

  Config config_;
  const DaemonHooks& hooks_;
  keep::Inherited inherited_ = keep::Inherited::take();
  keep::Notifier notifier_;
  const keep::Store store_{notifier_};  // keeps connections of VMMs for the next daemon
  asio::io_context loop_{1};
  Succession succession_{loop_, inherited_, store_, notifier_};
  asio::signal_set signals_;

  // In the order of their start. The destructor ends them from the last to the first.
  reclaim::HolePuncher puncher_;
  std::optional<vm::Folder> folder_;               // nothing: no state is kept for the next daemon
  std::unique_ptr<reclaim::HugeReserve> reserve_;  // null: reclaim.hugetlb_reserve is off
  std::unique_ptr<lcore::Eal> eal_;
  lcore::LcorePlan plan_;
  std::unique_ptr<reclaim::Engine> engine_;  // null: poll lcores discard themselves
  std::unique_ptr<lcore::Crew> crew_;
  std::optional<lcore::CallGuard> call_guard_;  // while lcores run
  std::vector<std::unique_ptr<lcore::ReclaimLcore>> reclaimers_;
  std::vector<std::unique_ptr<lcore::Poller>> pollers_;
  std::unique_ptr<vhost::DeviceFleet> fleet_;
  std::unique_ptr<policy::Autopilot> autopilot_;
  std::optional<VmSettings> settings_;
  std::unique_ptr<Methods> methods_;
  std::unique_ptr<RpcServer> rpc_;
  std::unique_ptr<EventRecorder> recorder_;
  std::optional<Telemetry> telemetry_;
  Repeater tick_;
  Repeater sample_;
  Repeater look_;
  Repeater watchdog_;
  lcore::Heartbeat heartbeat_;
  bool hands_on_ = true;  // VMMs are for the next daemon, where they are kept
};

Result<void> Daemon::start() {
  // run() handles a signal that comes before it.
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
  // First of all: a second daemon must fail here, before it touches anything of the first.
  auto socket = RpcSocket::listen(config_.rpc_socket, {config_.rpc_group, config_.rpc_observers});
  if (!socket) return tl::unexpected(blame(config_, "daemon.rpc_socket", socket.error()));
  if (auto ok = open_folder(); !ok) return ok;
  if (auto ok = start_lcores(); !ok) return ok;
  // After DPDK has started, which uses SIGBUS itself meanwhile. Lost memory is no crash.
  keep::note_crashes();
  gmem::survive_lost_memory();
  if (auto ok = start_devices(); !ok) return ok;
  start_rpc(std::move(*socket));
  start_timers();
  return confine_process();
}

/// The last step of the start: from here on the filter allows only what a running daemon does.
Result<void> Daemon::confine_process() {
  if (!config_.seccomp) return {};
  if (can_confine()) return confine(folder_ ? std::optional(folder_->fd()) : std::nullopt);
  log::warn("this build has a sanitizer, so system calls are not filtered");
  return {};
}

Result<void> Daemon::open_folder() {
  if (config_.state_dir.empty()) return {};
  auto folder = vm::Folder::open(config_.state_dir);
  if (!folder) return tl::unexpected(blame(config_, "daemon.state_dir", folder.error()));
  folder_ = std::move(*folder);
  return {};
}

Result<void> Daemon::start_lcores() {
  const auto topology = lcore::Topology::of_this_host();
  if (!topology) return tl::unexpected(topology.error());
  auto plan = lcore::plan_lcores(config_, lcore::read_cpus(), *topology);
  if (!plan) return tl::unexpected(blame_named(config_, plan.error()));
  plan_ = std::move(*plan);
  if (!plan_.note.empty()) log::warn("{}", plan_.note);
  auto eal = lcore::Eal::start(
      config_, plan_, [this](Status status) { return blame_named(config_, std::move(status)); },
      vhost::readable_line);
  if (!eal) return tl::unexpected(eal.error());
  eal_ = std::move(*eal);
  if (auto ok = start_engine(); !ok) return ok;
  crew_ = std::make_unique<lcore::Crew>(engine_.get());
  crew_->recruit();
  call_guard_.emplace(*crew_);
  if (auto ok = start_reclaimers(); !ok) return ok;
  return start_pollers();
}

Result<void> Daemon::start_engine() {
  if (plan_.reclaim.empty()) return {};
  auto engine = reclaim::Engine::create(static_cast<unsigned>(plan_.reclaim.size()), puncher_);
  if (!engine) return tl::unexpected(engine.error());
  engine_ = std::move(*engine);
  return {};
}

Result<void> Daemon::start_reclaimers() {
  for (const lcore::Lcore& lcore : plan_.reclaim) {
    reclaimers_.push_back(std::make_unique<lcore::ReclaimLcore>(
        lcore.id, *engine_, static_cast<unsigned>(reclaimers_.size()), config_.idle));
    lcore::ReclaimLcore* body = reclaimers_.back().get();
    if (auto ok = eal_->launch(lcore.id, [this, body] { crew_->serve(*body); }); !ok) {
      reclaimers_.pop_back();
      return ok;
    }
    log::info("reclaim lcore {} has cpu {}", lcore.id, lcore::format_cpu_list(lcore.cpus));
  }
  return {};
}

Result<void> Daemon::start_pollers() {
  for (const lcore::Lcore& lcore : plan_.poll) {
    pollers_.push_back(std::make_unique<lcore::Poller>(lcore.id, config_.idle, puncher_));
    lcore::Poller* poller = pollers_.back().get();
    if (engine_) poller->use_engine(*engine_);
    poller->use_crew(*crew_);
    if (auto ok = eal_->launch(lcore.id, [this, poller] { crew_->serve(*poller); }); !ok) {
      pollers_.pop_back();
      return ok;
    }
    log::info("poll lcore {} {} cpu {}, {}", lcore.id, plan_.pinned ? "has" : "shares",
              lcore::format_cpu_list(lcore.cpus),
              config_.idle == IdleStrategy::kSpin ? "spinning" : "sleeping while idle");
  }
  return {};
}

vhost::FleetSettings Daemon::fleet_settings(std::optional<gid_t> socket_group) const {
  vhost::FleetSettings settings;
  for (std::size_t i = 0; i < pollers_.size(); ++i) {
    settings.pollers.push_back({pollers_[i].get(), plan_.poll[i].node});
  }
  for (const lcore::Lcore& lcore : plan_.reclaim) settings.worker_nodes.push_back(lcore.node);
  settings.limits = reclaim::ReclaimLimits::of(config_.window_mib * kMiB, config_.window_age_ms);
  settings.limits.reserve = reserve_.get();
  settings.claims = {config_.max_guest_gib * kGiB, config_.max_total_gib * kGiB};
  settings.store = &store_;
  if (const auto earlier = succession_.earlier()) settings.last_sign_ms = earlier->at_ms;
  settings.socket_group = socket_group;
  settings.lcores = [this] {
    std::vector<lcore::LcoreReport> reports{lcore::report_lcore(plan_.main, "control")};
    lcore::report_lcores("poll", plan_.poll, pollers_, &reports);
    lcore::report_lcores("reclaim", plan_.reclaim, reclaimers_, &reports);
    return reports;
  };
  return settings;
}

Result<void> Daemon::start_devices() {
  if (config_.hugetlb_reserve) {
    reserve_ = std::make_unique<reclaim::HugeReserve>(reclaim::host_pool);
  }
  const auto group = find_group(config_.socket_group, "daemon.socket_group");
  if (!group) return tl::unexpected(group.error());
  fleet_ = std::make_unique<vhost::DeviceFleet>(fleet_settings(*group), puncher_,
                                                folder_ ? &*folder_ : nullptr);
  auto law_book = policy::open_book(config_.policy, inherited_, store_);
  if (auto ok = fleet_->inherit(inherited_); !ok) return ok;
  auto first = FirstDevices::add(*fleet_, config_, hooks_.say);
  if (!first) return tl::unexpected(first.error());
  fleet_->finish_inheriting();
  return start_autopilot(*first, std::move(law_book));
}

/// Starts after the devices, which have a person's earlier word on `automatic`.
Result<void> Daemon::start_autopilot(const FirstDevices& first,
                                     std::optional<keep::Book> law_book) {
  const auto policy = policy::Autopilot::needed_of(config_.policy, *fleet_, first.settings());
  auto autopilot = policy::Autopilot::open(loop_, *fleet_, policy, std::move(law_book));
  if (!autopilot) return tl::unexpected(blame(config_, "policy.cgroup", autopilot.error()));
  autopilot_ = std::move(*autopilot);
  settings_.emplace(*fleet_, *autopilot_);
  first.begin(*settings_);
  return {};
}

void Daemon::start_rpc(RpcSocket socket) {
  methods_ = std::make_unique<Methods>(
      loop_, *fleet_, *autopilot_, *settings_,
      rpc::Json{{"version", VBALLOON_VERSION}, {"dpdk", lcore::eal_version()}, {"pid", ::getpid()}},
      &succession_);
  recorder_ = std::make_unique<EventRecorder>(*fleet_, *autopilot_, methods_->events());
  rpc_ = std::make_unique<RpcServer>(loop_, std::move(socket), *methods_);
  telemetry_.emplace(loop_, *fleet_, *settings_);
  hooks_.say(fmt::format("rpc on {}", config_.rpc_socket));
}

void Daemon::start_timers() {
  for (const auto& poller : pollers_) heartbeat_.listen_to(*poller, *crew_);
  for (const auto& reclaimer : reclaimers_) heartbeat_.listen_to(*reclaimer, *crew_);
  succession_.beat();  // an end before the first tick is measured, too
  tick_.start(kTick);
  autopilot_->start();
  recorder_->look();  // what comes from now on is news
  look_.start(kLookForEvents);
  sample_.start(std::chrono::milliseconds(config_.stats_interval_ms));
  watchdog_.start(notifier_.watchdog_interval().value_or(std::chrono::microseconds(0)));
}

void Daemon::run() {
  const std::function<void()> wait = [&] {
    signals_.async_wait([&](const asio::error_code& error, int signal) {
      if (error) return;
      on_signal(signal);
      wait();
    });
  };
  wait();
  hooks_.say("ready");
  notifier_.send("READY=1");
  loop_.run();
  notifier_.send("STOPPING=1");
}

void Daemon::on_signal(int signal) {
  if (signal == SIGHUP) return reload();
  // As by Ctrl-C, or by a keeper that ends, too: nobody goes on.
  hands_on_ = signal != SIGINT;
  if (hands_on_) succession_.call_next();
  log::info("stopping: guests keep their balloons as they are");
  loop_.stop();
}

void Daemon::stop() {
  telemetry_.reset();
  if (rpc_) rpc_->stop();
  if (methods_) methods_->stop();
  if (autopilot_) autopilot_->stop();
  // While the poll lcores still run: each device has to be detached from its lcore.
  if (fleet_) fleet_->stop(hands_on_);
  for (const auto& poller : pollers_) poller->stop();
  for (const auto& reclaimer : reclaimers_) reclaimer->stop();
  if (crew_) crew_->stop();
  if (eal_) eal_->wait();
}

void Daemon::reload() {
  Reloader reloader(*fleet_, *settings_, &config_);
  DaemonCounters& counters = methods_->counters();
  ++(reloader.reload(hooks_.reread()) ? counters.reloads : counters.failed_reloads);
  sample_.keep(std::chrono::milliseconds(config_.stats_interval_ms));
}

void Daemon::sample_all() {
  for (vm::Vm* vm : fleet_->vms()) {
    // An error only says that the guest has no statistics.
    if (vm->figures().state == vm::State::kRunning) (void)vm->request_stats();
  }
}

/// The watchdog is not fed while an lcore stands still, so the service manager ends this process by
/// SIGABRT and starts another one. The VM answers for it that the lcore has in hand.
void Daemon::pet_watchdog() {
  if (heartbeat_.all_alive()) notifier_.send("WATCHDOG=1");
  InHand::suspect(heartbeat_.stands_still_in());
}

}  // namespace

Result<void> run_daemon(Config config, const DaemonHooks& hooks) {
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  Daemon daemon(std::move(config), hooks);
  if (auto started = daemon.start(); !started) return started;
  daemon.run();
  return {};
}

}  // namespace vballoon::service
