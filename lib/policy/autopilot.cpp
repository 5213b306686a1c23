// SPDX-License-Identifier: BSD-3-Clause
#include "policy/autopilot.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "base/size_text.hpp"
#include "base/units.hpp"
#include "policy/balance_law.hpp"
#include "policy/guest_view.hpp"
#include "policy/pressure_law.hpp"

namespace vballoon::policy {
namespace {

/// A stock guest answers within a few milliseconds.
constexpr std::chrono::milliseconds kAnswers{30};
/// Turns that pressure asks for are no closer than this: a guest takes so long to show an effect.
constexpr std::chrono::milliseconds kCloseTurns{100};
/// How long a message of a guest may go unheard.
constexpr std::chrono::milliseconds kHear{50};

std::unique_ptr<policy::Law> make_law(const PolicyConfig& config) {
  if (config.law == "pressure") {
    return std::make_unique<policy::PressureLaw>(policy::PressureSettings{
        config.step_mib * kMiB, std::chrono::seconds(config.guest_pressure_s)});
  }
  return std::make_unique<policy::BalanceLaw>();
}

policy::PressureLevel level_of(std::string_view word) noexcept {
  if (word == "medium") return policy::PressureLevel::kMedium;
  return word == "critical" ? policy::PressureLevel::kCritical : policy::PressureLevel::kLow;
}

policy::BestWatch open_watch(const PolicyConfig& config, const policy::Paths& paths) {
  if (config.host_pressure == "none") {
    return {std::nullopt,
            "not listened to: policy.host_pressure is \"none\", or no VM was automatic "
            "when the daemon started"};
  }
  policy::PressureWatch::Options options;
  options.paths = paths;
  options.stall = std::chrono::milliseconds(config.psi_stall_ms);
  options.window = std::chrono::milliseconds(config.psi_window_ms);
  options.level = level_of(config.pressure_level);
  if (config.host_pressure != "psi") options.cgroup = config.cgroup;
  if (config.host_pressure == "auto") return policy::open_best(options);
  auto watch = policy::PressureWatch::open(options);
  if (!watch) return {std::nullopt, watch.error().message};
  std::string text = watch->describe();
  return {std::move(*watch), std::move(text)};
}

}  // namespace

Result<std::unique_ptr<Autopilot>> Autopilot::open(asio::io_context& loop, vm::Backend& backend,
                                                   const PolicyConfig& config,
                                                   const policy::Paths& paths) {
  if (config.host_pressure == "cgroup" && config.cgroup.empty()) {
    return fail(Code::kInvalidArgument,
                "policy.host_pressure is \"cgroup\", and policy.cgroup names none");
  }
  auto reader = policy::MemoryReader::open({paths, config.cgroup});
  if (!reader) return tl::unexpected(reader.error());
  return std::unique_ptr<Autopilot>(
      new Autopilot(loop, backend, config, std::move(*reader), open_watch(config, paths)));
}

Autopilot::Autopilot(asio::io_context& loop, vm::Backend& backend, const PolicyConfig& config,
                     policy::MemoryReader reader, policy::BestWatch watch)
    : backend_(backend),
      config_(config),
      reader_(std::move(reader)),
      watch_(std::move(watch.watch)),
      watch_text_(std::move(watch.why)),
      law_(make_law(config)),
      tick_(loop),
      answers_(loop),
      ear_(loop),
      pressure_fd_(loop) {}

Autopilot::~Autopilot() {
  stop();
}

bool Autopilot::wanted(const vm::Backend& backend, const std::vector<vm::Settings>& devices) {
  return std::any_of(devices.begin(), devices.end(), [&backend](const vm::Settings& device) {
    return wish_of(device, backend.automatic(device.name)).automatic;
  });
}

void Autopilot::start() {
  if (watch_) {
    pressure_fd_.assign(watch_->fd());
    wait_for_pressure();
  } else if (config_.host_pressure != "none") {
    log::warn("the host's memory pressure is not heard, only looked at every {} ms: {}",
              config_.interval_ms, watch_text_);
  }
  wait_for_turn();
  listen_to_guests();
}

void Autopilot::stop() {
  tick_.cancel();
  answers_.cancel();
  ear_.cancel();
  // The descriptor is the watch's.
  if (pressure_fd_.is_open()) pressure_fd_.release();
}

void Autopilot::wait_for_turn() {
  tick_.expires_after(std::chrono::milliseconds(config_.interval_ms));
  tick_.async_wait([this](const asio::error_code& cancelled) {
    if (cancelled) return;
    begin_turn();
    wait_for_turn();
  });
}

void Autopilot::wait_for_pressure() {
  const bool urgent = (watch_->events() & POLLPRI) != 0;
  const auto kind =
      urgent ? asio::posix::descriptor_base::wait_error : asio::posix::descriptor_base::wait_read;
  pressure_fd_.async_wait(kind, [this](const asio::error_code& error) {
    if (!error) on_pressure();
  });
}

/// Each time that it is heard counts as one event, however often the kernel said so meanwhile.
void Autopilot::on_pressure() {
  if (watch_->take().gone) {
    pressure_fd_.release();
    watch_.reset();
    watch_text_ = "the cgroup was removed: " + config_.cgroup;
    log::warn("the host's memory pressure is heard no more: {}", watch_text_);
    return;
  }
  ++events_;
  ++pressure_;
  turn_soon();
  wait_for_pressure();
}

void Autopilot::listen_to_guests() {
  ear_.expires_after(kHear);
  ear_.async_wait([this](const asio::error_code& cancelled) {
    if (cancelled) return;
    bool cries = false;
    backend_.each_pressure([this, &cries](const std::string& name, std::uint64_t messages) {
      cries |= messages != 0 && automatic(name) && hear(name, messages);
    });
    if (cries) turn_soon();
    listen_to_guests();
  });
}

/// A turn is about all VMs: one that goes on crying gets no more of them than the clock brings.
/// @return  whether there has to be one.
bool Autopilot::hear(const std::string& name, std::uint64_t messages) {
  Heard& heard = heard_[name];
  const auto now = Clock::now();
  if (std::exchange(heard.messages, messages) == messages || now < heard.deaf_until) return false;
  heard.deaf_until = now + std::chrono::milliseconds(config_.interval_ms);
  return true;
}

void Autopilot::turn_soon() {
  if (turn_due_) return;
  const auto at = last_turn_ + kCloseTurns;
  if (Clock::now() >= at) return begin_turn();
  turn_due_ = true;
  answers_.expires_at(at);
  answers_.async_wait([this](const asio::error_code& cancelled) {
    turn_due_ = false;
    if (!cancelled) begin_turn();
  });
}

/// Guests are asked first, so that what is decided is about the present.
void Autopilot::begin_turn() {
  if (turn_due_ || !anybody_automatic()) return;
  for (const auto& [name, wish] : wishes_) {
    if (wish.automatic) (void)backend_.request_stats(name);
  }
  turn_due_ = true;
  answers_.expires_after(kAnswers);
  answers_.async_wait([this](const asio::error_code& cancelled) {
    turn_due_ = false;
    if (!cancelled) decide();
  });
}

bool Autopilot::anybody_automatic() const {
  return std::any_of(wishes_.begin(), wishes_.end(),
                     [](const auto& entry) { return entry.second.automatic; });
}

std::optional<policy::MemoryFigures> Autopilot::read_host() {
  auto figures = reader_.read();
  const bool fell_back = !figures;
  std::string trouble = fell_back ? figures.error().message : std::string();
  if (fell_back) figures = reader_.read_machine();
  if (trouble != trouble_) {
    if (trouble.empty()) {
      log::info("automatic ballooning: the memory of the cgroup is seen again");
    } else {
      log::warn("automatic ballooning: {}; {}", trouble,
                figures ? "the whole host is looked at instead" : "nothing is decided");
    }
    trouble_ = std::move(trouble);
    swapped_in_.reset();  // it was another's
  }
  if (!figures) return std::nullopt;
  return std::move(*figures);
}

/// Since the last turn.
bool Autopilot::reads_its_swap(const policy::MemoryFigures& host) {
  const auto now = host.cgroup ? host.cgroup->swap_in_bytes : host.swap_in_bytes;
  const auto before = std::exchange(swapped_in_, now);
  return before && now && *now > *before;
}

void Autopilot::decide() {
  last_turn_ = Clock::now();
  const auto host = read_host();
  if (!host) return;
  // Who has to read it back waits for memory, whether the kernel tells of that or not.
  if (reads_its_swap(*host) && !watch_ && config_.host_pressure != "none") {
    ++events_;
    ++pressure_;
  }
  policy::Observation seen = observe(*host, backend_.list(), wishes_, config_.reserve_mib);
  seen.now = std::chrono::duration_cast<policy::Time>(last_turn_.time_since_epoch());
  seen.sample_interval = policy::Time(config_.interval_ms);
  seen.host_pressure = std::exchange(pressure_, 0);
  ++turns_;
  apply(seen, law_->decide(seen));
  pools_ = std::move(seen.pools);
}

void Autopilot::apply(const policy::Observation& seen, std::vector<policy::Decision> decisions) {
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    const policy::VmObservation& vm = seen.vms[i];
    policy::Decision& decision = decisions[i];
    if (vm.automatic && decision.target != vm.target) {
      log::debug("{}: target {}, was {}: {}", vm.name, format_size(decision.target),
                 format_size(vm.target), policy::rule_text(decision.rule));
      // Its operator's floor may be lower than what a guest is left else.
      const bool forced = policy::floor_of(vm) < vm::left_to_guest(vm.guest);
      const vm::Target target{{decision.target, std::nullopt}, forced};
      if (auto set = backend_.set_target(vm.name, target); !set) {
        log::debug("{}: {}", vm.name, set.error().message);
      }
    }
    past_[vm.name] = Past{std::move(decision), vm.target, last_turn_};
  }
}

void Autopilot::forget(const std::string& name) {
  wishes_.erase(name);
  past_.erase(name);
  heard_.erase(name);
}

bool Autopilot::automatic(const std::string& name) const {
  const auto wish = wishes_.find(name);
  return wish != wishes_.end() && wish->second.automatic;
}

void Autopilot::wish(const vm::Settings& device) {
  const VmWish wish = wish_of(device, backend_.automatic(device.name));
  // What was said before the configuration changed is not to come back with its next change.
  if (wish.automatic == wish.configured) {
    backend_.keep_automatic(device.name, {wish.automatic, wish.configured});
  }
  wishes_[device.name] = wish;
}

void Autopilot::set_automatic(const std::string& name, bool on) {
  VmWish& wish = wishes_[name];
  wish.automatic = on;
  backend_.keep_automatic(name, {on, wish.configured});
  past_.erase(name);
}

void Autopilot::set_limits(const std::string& name, const policy::Limits& limits) {
  wishes_[name].limits = limits;
}

}  // namespace vballoon::policy
