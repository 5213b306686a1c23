// SPDX-License-Identifier: BSD-3-Clause
#include "service/events/recorder.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/clock.hpp"

namespace vballoon::service {
namespace {

/// @return why the VM's balloon does not work: a queue knows, or the VM does.
std::string reason_of(const vm::DeviceReport& report) {
  for (const vm::QueueReport& queue : report.queues) {
    if (queue.state == "broken") return fmt::format("{} queue: {}", queue.role, queue.reason);
  }
  return std::string(report.reason);
}

}  // namespace

void EventRecorder::look() {
  std::vector<VmLook> looks;
  for (const vm::Vm* vm : fleet_.vms()) looks.push_back(look_at(*vm, !looked_));
  looked_ = true;
  const std::uint64_t at_ms = calendar_ms();
  for (News& news : watcher_.look(looks, EventWatcher::Clock::now())) {
    const bool removed = news.kind == "removed";
    const std::string name = news.vm;
    log_.add(std::move(news), at_ms);
    if (removed) log_.forget_vm(name);
  }
}

VmLook EventRecorder::look_at(const vm::Vm& vm, bool first) const {
  VmLook look;
  look.name = vm.settings().name;
  look.figures = vm.figures();
  look.automatic = autopilot_.automatic(look.name);
  if (look.automatic) look.rule = autopilot_.rule_of(look.name);
  const vm::State state = look.figures.state;
  const bool fails = state == vm::State::kBroken || state == vm::State::kSetAside;
  // A VM that stays broken needs no report a second.
  const bool told_why = fails && watcher_.is_news(look.name, state);
  if (!first && !told_why) return look;
  const vm::DeviceReport report = vm.report();
  look.reason = told_why ? reason_of(report) : std::string();
  look.restarts = report.restarts.count;
  look.last_restart_ms = report.restarts.last_ms;
  return look;
}

}  // namespace vballoon::service
