// SPDX-License-Identifier: BSD-3-Clause
#include "fake_fleet.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "base/units.hpp"

namespace vballoon::service {

Result<vm::TargetSet> FakeVm::set_target(const vm::Target& target) {
  fleet_.last_target = target;
  const std::uint64_t guest = shown.guest_bytes;
  const std::uint64_t bytes = target.size.of(guest);
  if (guest != 0 && bytes > guest) return fail(Code::kInvalidArgument, "too much");
  return vm::TargetSet{bytes, std::exchange(shown.target_bytes, bytes), guest};
}

vm::Kept FakeVm::kept() const {
  return {fleet_.why_not_kept.empty(), fleet_.why_not_kept};
}

Result<void> FakeVm::request_stats() {
  if (shown.state != vm::State::kRunning) return fail(Code::kUnavailable, "no driver");
  ++fleet_.stats_requests;
  if (fleet_.answers_stats) fleet_.answer_stats(settings_.name, 64 * kMiB);
  return {};
}

std::optional<vm::AutomaticWord> FakeVm::automatic() const {
  const auto word = fleet_.words.find(settings_.name);
  return word == fleet_.words.end() ? std::nullopt : std::optional(word->second);
}

void FakeVm::keep_automatic(vm::AutomaticWord word) {
  fleet_.words[settings_.name] = word;
}

Result<void> FakeVm::prefault(bool on) {
  shown.prefault = on;
  if (on && !fleet_.why_no_prefault.empty())
    return fail(Code::kUnavailable, fleet_.why_no_prefault);
  return {};
}

Result<std::uint32_t> FakeVm::hint(wire::HintAction action) {
  shown.hints.command_id = fleet_.config.command_hints(action);
  return shown.hints.command_id;
}

Result<void> FakeVm::move_to(unsigned lcore) {
  for (const lcore::LcoreReport& report : fleet_.lcore_reports) {
    if (report.lcore != lcore || report.role != "poll") continue;
    shown.lcore = lcore;
    return {};
  }
  return fail(Code::kInvalidArgument, "does not poll");
}

Result<void> FakeVm::readmit() {
  if (shown.state == vm::State::kSetAside) shown.state = vm::State::kRunning;
  return {};
}

FakeVm& FakeFleet::make(const vm::Settings& settings) {
  FakeVm& vm = *owned_.emplace_back(std::make_unique<FakeVm>(*this, settings));
  vms_.push_back(&vm);
  vm.shown.lcore = 1;
  vm.shown.guest_bytes = kGiB;
  vm.shown.actual_bytes = 0;
  if (settings.message_queue) vm.shown.dialect = wire::Dialect::kMessages;
  return vm;
}

vm::DeviceReport& FakeFleet::guest(const std::string& name) {
  FakeVm& vm = make({.name = name, .socket = "/tmp/" + name + ".sock"});
  vm.shown.state = vm::State::kRunning;
  return vm.shown;
}

void FakeFleet::answer_stats(const std::string& name, std::uint64_t free_bytes) {
  vm::DeviceReport& shown = report(name);
  if (!shown.stats) shown.stats.emplace();
  const auto tag = static_cast<unsigned>(wire::StatTag::kFree);
  shown.stats->sample.values[tag] = free_bytes;
  shown.stats->sample.present |= 1U << tag;
  ++shown.stats->sequence;
  shown.stats->age_ms = 3;
}

FakeVm& FakeFleet::vm(const std::string& name) {
  const auto at =
      std::ranges::find(owned_, name, [](const auto& vm) { return vm->settings().name; });
  VB_CHECK(at != owned_.end());
  return **at;
}

Result<vm::Vm*> FakeFleet::find(std::string_view name) const {
  const auto at = std::ranges::find(
      vms_, name, [](const vm::Vm* vm) -> std::string_view { return vm->settings().name; });
  if (at == vms_.end()) return fail(Code::kNotFound, fmt::format("no device is named '{}'", name));
  return *at;
}

Result<void> FakeFleet::change(std::span<const std::string> remove,
                               std::span<const vm::Settings> add) {
  for (const std::string& name : remove) {
    if (const auto vm = find(name); !vm) return tl::unexpected(vm.error());
  }
  const auto leaves = [&](const auto& vm) {
    return std::ranges::find(remove, vm->settings().name) != remove.end();
  };
  for (const vm::Settings& settings : add) {
    const auto same = find(settings.name);
    if (same && !leaves(*same)) return fail(Code::kAlreadyExists, "name is taken");
  }
  std::erase_if(vms_, leaves);
  std::erase_if(owned_, leaves);
  for (const vm::Settings& settings : add) {
    added.push_back(settings);
    make(settings).shown.state = vm::State::kWaiting;
  }
  return {};
}

}  // namespace vballoon::service
