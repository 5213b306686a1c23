// SPDX-License-Identifier: BSD-3-Clause
//
// control/daemon.cpp - wire everything, run, take it down in the opposite order.
#include "control/daemon.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <asio/signal_set.hpp>
#include <csignal>
#include <memory>
#include <vector>

#include "base/log.hpp"
#include "control/eal.hpp"
#include "control/methods.hpp"
#include "control/notify.hpp"
#include "control/reload.hpp"
#include "control/rpc_server.hpp"
#include "control/vhost_backend.hpp"
#include "poll/poller.hpp"
#include "repeater.hpp"
#include "vhost/server.hpp"

namespace vballoon::control {
namespace {

constexpr std::chrono::milliseconds kTick{20};

class Daemon {
 public:
  Daemon(Config config, const DaemonHooks& hooks)
      : config_(std::move(config)),
        hooks_(hooks),
        signals_(loop_),
        tick_(loop_, [this] { server_->tick(); }),
        sample_(loop_, [this] { sample_all(); }),
        watchdog_(loop_, [this] { pet_watchdog(); }) {}
  ~Daemon() { stop(); }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  Result<void> start();
  void run();

 private:
  Result<void> start_pollers();
  Result<void> start_devices();
  void start_rpc(RpcSocket socket);
  void start_timers();
  void stop();
  void on_signal(int signal);
  void reload();
  void apply(const ReloadPlan& plan);
  void say_device(const DeviceConfig& device) const;
  void sample_all();
  void pet_watchdog();

  Config config_;
  const DaemonHooks& hooks_;
  Notifier notifier_;
  asio::io_context loop_{1};
  asio::signal_set signals_;

  // In the order of start; the destructor undoes them from the last to the first.
  std::unique_ptr<Eal> eal_;
  std::vector<std::unique_ptr<poll::Poller>> pollers_;
  std::unique_ptr<vhost::Server> server_;
  std::unique_ptr<VhostBackend> backend_;
  std::unique_ptr<Methods> methods_;
  std::unique_ptr<RpcServer> rpc_;
  Repeater tick_;
  Repeater sample_;
  Repeater watchdog_;
  std::vector<std::uint64_t> passes_seen_;  // per poller, when the watchdog was last told
};

Result<void> Daemon::start() {
  // One that comes before run() is seen there.
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
  // Before all else: a second daemon must find out before it touches anything of the first.
  auto socket = RpcSocket::listen(config_.rpc_socket, config_.rpc_group);
  if (!socket) return tl::unexpected(socket.error());
  if (auto ok = start_pollers(); !ok) return ok;
  if (auto ok = start_devices(); !ok) return ok;
  start_rpc(std::move(*socket));
  start_timers();
  return {};
}

Result<void> Daemon::start_pollers() {
  const auto plan = plan_lcores(config_, read_cpus());
  if (!plan) return tl::unexpected(plan.error());
  if (!plan->note.empty()) log::warn("{}", plan->note);
  auto eal = Eal::start(config_, *plan);
  if (!eal) return tl::unexpected(eal.error());
  eal_ = std::move(*eal);

  const bool spin = config_.idle == Idle::kSpin;
  for (const Lcore& lcore : plan->poll) {
    pollers_.push_back(std::make_unique<poll::Poller>(
        lcore.id, spin ? poll::IdleStrategy::kSpin : poll::IdleStrategy::kBackoff));
    poll::Poller* poller = pollers_.back().get();
    if (auto ok = eal_->launch(lcore.id, [poller] { poller->run(); }); !ok) {
      pollers_.pop_back();
      return ok;
    }
    log::info("poll lcore {} {} cpu {}, {}", lcore.id, plan->pinned ? "has" : "shares",
              format_cpu_list(lcore.cpus), spin ? "spinning" : "sleeping while idle");
  }
  return {};
}

Result<void> Daemon::start_devices() {
  std::vector<poll::Poller*> pollers;
  for (const auto& poller : pollers_) pollers.push_back(poller.get());
  server_ = std::make_unique<vhost::Server>(std::move(pollers));
  backend_ = std::make_unique<VhostBackend>(*server_);
  for (const DeviceConfig& device : config_.devices) {
    if (auto added = backend_->add(device); !added) return added;
    say_device(device);
  }
  return {};
}

void Daemon::start_rpc(RpcSocket socket) {
  methods_ = std::make_unique<Methods>(
      loop_, *backend_, rpc::Json{{"version", VBALLOON_VERSION}, {"dpdk", eal_version()}});
  rpc_ = std::make_unique<RpcServer>(loop_, std::move(socket), *methods_);
  hooks_.say(fmt::format("rpc on {}", config_.rpc_socket));
}

void Daemon::start_timers() {
  tick_.start(kTick);
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
  log::info("stopping: guests keep their balloons as they are");
  loop_.stop();
}

void Daemon::stop() {
  if (rpc_) rpc_->stop();
  if (methods_) methods_->stop();
  // While the poll lcores still run: they have to let go of each device.
  if (server_) server_->stop();
  for (const auto& poller : pollers_) poller->stop();
  if (eal_) eal_->wait();
}

void Daemon::reload() {
  auto after = hooks_.reread();
  if (!after) {
    log::error("reload: {}; everything stays as it was", after.error().message);
    return;
  }
  std::vector<std::string> present;
  for (const auto& report : backend_->list()) present.push_back(report.name);
  const ReloadPlan plan = plan_reload(config_, *after, present);
  apply(plan);
  if (plan.stats_interval_changed) {
    sample_.start(std::chrono::milliseconds(after->stats_interval_ms));
    log::info("reload: stats.interval_ms is now {}", after->stats_interval_ms);
  }
  config_.devices = std::move(after->devices);
  config_.stats_interval_ms = after->stats_interval_ms;
}

void Daemon::apply(const ReloadPlan& plan) {
  for (const std::string& name : plan.remove) {
    const auto removed = backend_->remove(name);
    log::info("reload: {} {}", name, removed ? "removed" : removed.error().message);
  }
  for (const DeviceConfig& device : plan.add) {
    const auto added = backend_->add(device);
    if (added) {
      log::info("reload: {} added on {}", device.name, device.socket);
    } else {
      log::error("reload: {}", added.error().message);
    }
  }
  for (const std::string& key : plan.needs_restart) {
    log::warn("reload: {} changed; that needs a restart", key);
  }
  if (plan.remove.empty() && plan.add.empty()) log::info("reload: the devices are the same");
}

void Daemon::say_device(const DeviceConfig& device) const {
  hooks_.say(fmt::format("{} {} {}", device.name,
                         device.client ? "connects to its VMM at" : "waits for its VMM on",
                         device.socket));
}

void Daemon::sample_all() {
  for (const auto& report : backend_->list()) {
    // A guest without statistics is no news.
    if (report.state == device::State::kRunning) (void)backend_->request_stats(report.name);
  }
}

/// A poll lcore that makes no passes serves nobody: then the service manager is to know.
void Daemon::pet_watchdog() {
  bool alive = true;
  passes_seen_.resize(pollers_.size());
  for (std::size_t i = 0; i < pollers_.size(); ++i) {
    const std::uint64_t passes = pollers_[i]->counters().passes.get();
    if (passes == passes_seen_[i]) alive = false;
    passes_seen_[i] = passes;
  }
  if (alive) notifier_.send("WATCHDOG=1");
}

}  // namespace

void start_log(std::string_view level) {
  auto logger = spdlog::stderr_color_mt("vballoond");
  logger->set_pattern(logs_to_journal() ? "%l: %v" : "%H:%M:%S.%e %^%l%$: %v");
  logger->set_level(spdlog::level::from_str(std::string(level)));
  spdlog::set_default_logger(std::move(logger));
}

Result<void> run_daemon(Config config, const DaemonHooks& hooks) {
  std::signal(SIGPIPE, SIG_IGN);
  Daemon daemon(std::move(config), hooks);
  if (auto started = daemon.start(); !started) return started;
  daemon.run();
  return {};
}

}  // namespace vballoon::control
