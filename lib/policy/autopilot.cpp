// SPDX-License-Identifier: BSD-3-Clause
#include "policy/autopilot.hpp"

#include <poll.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.hpp"
#include "base/size_text.hpp"
#include "policy/guest_view.hpp"
#include "policy/laws.hpp"

namespace vballoon::policy {
namespace {

/// A stock guest answers within a few milliseconds.
constexpr std::chrono::milliseconds kAnswers{30};
/// A turn because of pressure comes no sooner after the last turn: a guest takes so long to show an
/// effect.
constexpr std::chrono::milliseconds kCloseTurns{100};
/// The control thread looks for messages of guests at this interval.
constexpr std::chrono::milliseconds kHear{50};

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

/// The word of a person on this VM, if one is kept.
std::optional<vm::AutomaticWord> word_of(const vm::Fleet& fleet, const std::string& name) {
  const auto vm = fleet.find(name);
  return vm ? (*vm)->automatic() : std::nullopt;
}

void keep_word(const vm::Fleet& fleet, const std::string& name, vm::AutomaticWord word) {
  if (const auto vm = fleet.find(name)) (*vm)->keep_automatic(word);
}

}  // namespace

Result<std::unique_ptr<Autopilot>> Autopilot::open(asio::io_context& loop, vm::Fleet& fleet,
                                                   const PolicyConfig& config,
                                                   std::optional<keep::Book> book,
                                                   const policy::Paths& paths) {
  if (config.host_pressure == "cgroup" && config.cgroup.empty()) {
    return fail(Code::kInvalidArgument,
                "policy.host_pressure is \"cgroup\", and policy.cgroup names none");
  }
  auto reader = policy::MemoryReader::open({paths, config.cgroup});
  if (!reader) return tl::unexpected(reader.error());
  return std::unique_ptr<Autopilot>(new Autopilot(loop, fleet, config, std::move(book),
                                                  std::move(*reader), open_watch(config, paths)));
}

Autopilot::Autopilot(asio::io_context& loop, vm::Fleet& fleet, const PolicyConfig& config,
                     std::optional<keep::Book> book, policy::MemoryReader reader,
                     policy::BestWatch watch)
    : fleet_(fleet),
      config_(config),
      reader_(std::move(reader)),
      watch_(std::move(watch.watch)),
      watch_text_(std::move(watch.why)),
      book_(std::move(book)),
      law_(make_law(config, book_ ? &*book_ : nullptr)),
      tick_(loop),
      answers_(loop),
      ear_(loop),
      pressure_fd_(loop) {
  law_->keep_only([this](std::string_view name) { return fleet_.find(name).has_value(); });
}

Autopilot::~Autopilot() {
  stop();
}

PolicyConfig Autopilot::needed_of(PolicyConfig config, const vm::Fleet& fleet,
                                  const std::vector<vm::Settings>& devices) {
  const bool wanted = std::any_of(devices.begin(), devices.end(), [&fleet](const auto& device) {
    return wish_of(device, word_of(fleet, device.name)).automatic;
  });
  if (!wanted) config.host_pressure = "none";
  return config;
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
  // The watch owns the descriptor and closes it.
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

/// Each call counts as one event, however often the kernel signalled pressure meanwhile.
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
    for (const vm::Vm* vm : fleet_.vms()) {
      const std::uint64_t messages = vm->pressure_messages();
      if (messages == 0) continue;
      const auto guided = guided_.find(vm->settings().name);
      if (guided == guided_.end() || !guided->second.automatic()) continue;
      cries |= hear(messages, &guided->second.heard);
    }
    if (cries) turn_soon();
    listen_to_guests();
  });
}

/// A turn is about all VMs. So the messages of one guest bring one turn an interval at most.
/// @return  whether a turn has to come.
bool Autopilot::hear(std::uint64_t messages, Heard* heard) const {
  const auto now = Clock::now();
  if (std::exchange(heard->messages, messages) == messages || now < heard->deaf_until) return false;
  heard->deaf_until = now + std::chrono::milliseconds(config_.interval_ms);
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

/// Asks guests for statistics first, so that the decisions are about the present.
void Autopilot::begin_turn() {
  if (turn_due_ || !anybody_automatic()) return;
  for (vm::Vm* vm : fleet_.vms()) {
    if (automatic(vm->settings().name)) (void)vm->request_stats();
  }
  turn_due_ = true;
  answers_.expires_after(kAnswers);
  answers_.async_wait([this](const asio::error_code& cancelled) {
    turn_due_ = false;
    if (!cancelled) decide();
  });
}

bool Autopilot::anybody_automatic() const {
  return std::any_of(guided_.begin(), guided_.end(),
                     [](const auto& entry) { return entry.second.automatic(); });
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
    swapped_in_.reset();  // it counted other memory
  }
  if (!figures) return std::nullopt;
  return std::move(*figures);
}

/// Whether the host has read pages back from its swap since the last turn.
bool Autopilot::reads_its_swap(const policy::MemoryFigures& host) {
  const auto now = host.cgroup ? host.cgroup->swap_in_bytes : host.swap_in_bytes;
  const auto before = std::exchange(swapped_in_, now);
  return before && now && *now > *before;
}

void Autopilot::decide() {
  last_turn_ = Clock::now();
  const auto host = read_host();
  if (!host) return;
  // A host that reads pages back from its swap is short of memory, also where no watch tells of it.
  if (reads_its_swap(*host) && !watch_ && config_.host_pressure != "none") {
    ++events_;
    ++pressure_;
  }
  const std::span<vm::Vm* const> vms = fleet_.vms();
  std::vector<Guided*> guided;
  guided.reserve(vms.size());
  for (const vm::Vm* vm : vms) guided.push_back(&guided_[vm->settings().name]);
  policy::Observation seen = observe(*host, vms, guided);
  seen.now = std::chrono::duration_cast<policy::Time>(last_turn_.time_since_epoch());
  seen.sample_interval = policy::Time(config_.interval_ms);
  seen.host_pressure = std::exchange(pressure_, 0);
  ++turns_;
  std::vector<policy::Decision> decisions = law_->decide(seen);
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    const policy::VmObservation& vm = seen.vms[i];
    if (vm.automatic) apply(vm, decisions[i], vms[i], guided[i]);
    guided[i]->past = Past{std::move(decisions[i]), vm.target, last_turn_};
  }
  pools_ = std::move(seen.pools);
}

policy::Observation Autopilot::observe(const policy::MemoryFigures& host,
                                       std::span<vm::Vm* const> vms,
                                       std::span<Guided* const> guided) const {
  policy::Observer observer(host, config_.reserve_mib);
  observer.expect(vms.size());
  for (std::size_t i = 0; i < vms.size(); ++i) {
    observer.add(vms[i]->settings().name, vms[i]->figures(), guided[i]->wish.value_or(VmWish()));
  }
  return observer.take();
}

void Autopilot::apply(const policy::VmObservation& seen, const policy::Decision& decision,
                      vm::Vm* vm, Guided* guided) {
  if (decision.target == seen.target) return;
  log::debug("{}: target {}, was {}: {}", seen.name, format_size(decision.target),
             format_size(seen.target), policy::rule_text(decision.rule));
  // The operator's floor may be lower than the minimum that a target must leave the guest.
  const bool forced = policy::floor_of(seen) < vm::left_to_guest(seen.guest);
  const vm::Target target{{decision.target, std::nullopt}, forced};
  if (auto set = vm->set_target(target); !set) {
    log::debug("{}: {}", seen.name, set.error().message);
    return;
  }
  ++(decision.target > seen.target ? guided->raised : guided->lowered);
}

void Autopilot::forget(const std::string& name) {
  guided_.erase(name);
  law_->forget(name);
}

std::string_view Autopilot::rule_of(std::string_view name) const {
  const auto guided = guided_.find(name);
  if (guided == guided_.end() || !guided->second.past) return {};
  return policy::rule_text(guided->second.past->decision.rule);
}

Report Autopilot::report() const {
  Report report{law_->name(), turns_, events_, trouble_.empty(), pools_, {}};
  const std::map<std::string_view, const Guided&> by_name(guided_.begin(), guided_.end());
  for (const auto& [name, guided] : by_name) {
    if (!guided.automatic()) continue;
    VmReport& vm = report.vms.emplace_back();
    vm.name = name;
    vm.raised = guided.raised;
    vm.lowered = guided.lowered;
    if (!guided.past) continue;
    vm.rule = policy::rule_name(guided.past->decision.rule);
    vm.target = guided.past->decision.target;
  }
  return report;
}

bool Autopilot::automatic(std::string_view name) const {
  const auto guided = guided_.find(name);
  return guided != guided_.end() && guided->second.automatic();
}

void Autopilot::wish(const std::string& name, const VmWish& wish) {
  guided_[name].wish = wish;
}

void Autopilot::wish(const vm::Settings& device) {
  const VmWish wish = wish_of(device, word_of(fleet_, device.name));
  // A word from before this change of the configuration must not come back with its next change.
  if (wish.automatic == wish.configured) {
    keep_word(fleet_, device.name, {wish.automatic, wish.configured});
  }
  guided_[device.name].wish = wish;
}

void Autopilot::set_automatic(const std::string& name, bool on) {
  Guided& guided = guided_[name];
  if (!guided.wish) guided.wish.emplace();
  guided.wish->automatic = on;
  keep_word(fleet_, name, {on, guided.wish->configured});
  guided.past.reset();
}

void Autopilot::set_limits(const std::string& name, const policy::Limits& limits) {
  Guided& guided = guided_[name];
  if (!guided.wish) guided.wish.emplace();
  guided.wish->limits = limits;
}

}  // namespace vballoon::policy
