// SPDX-License-Identifier: BSD-3-Clause
//
// service/vm_settings.cpp - gives each live setting to the part of the daemon that it acts on.
#include "service/vm_settings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"

namespace vballoon::service {
namespace {

bool has(const vm::Rows& rows, std::string_view key) {
  return std::any_of(rows.begin(), rows.end(), [key](const auto* row) { return row->key == key; });
}

Status needs_new_device(const std::string& name, const vm::Setting& setting) {
  return Status{Code::kInvalidArgument,
                fmt::format("'{0}' cannot change while {1} is served: change it in the "
                            "configuration and reload, or remove {1} and add it with "
                            "`vballoonctl add -k {0}=...`; either way its VMM connects again",
                            setting.key, name)};
}

}  // namespace

void VmSettings::set(const vm::KeptSettings& settings) {
  settings_[settings.added.name] = settings;
  fleet_.keep_settings(settings);
}

void VmSettings::begin(const vm::Settings& settings, bool configured) {
  set({configured, settings, settings});
  autopilot_.wish(settings);
}

/// The state folder has a person's word on `automatic`.
void VmSettings::resume(const vm::KeptSettings& kept) {
  set(kept);
  vm::Settings wish = kept.now;
  wish.automatic = kept.added.automatic;
  autopilot_.wish(wish);
  const auto vm = fleet_.find(kept.added.name);
  VB_CHECK(vm);
  if (kept.now != kept.added) static_cast<void>(apply(kept.now, vm::live_settings(), *vm));
}

void VmSettings::end(const std::string& name) {
  settings_.erase(name);
  autopilot_.forget(name);
}

vm::Settings VmSettings::of(const std::string& name) const {
  const auto at = settings_.find(name);
  vm::Settings settings = at == settings_.end() ? vm::Settings{name, {}} : at->second.now;
  settings.automatic = autopilot_.automatic(name);
  return settings;
}

Result<VmSettings::Changed> VmSettings::change(const std::string& name, const vm::Settings& to,
                                               const vm::Rows& rows) {
  const auto vm = fleet_.find(name);
  if (!vm) return tl::unexpected(vm.error());
  vm::Settings now = of(name);
  for (const vm::Setting* row : rows) {
    if (row->effect != vm::Effect::kLive) return tl::unexpected(needs_new_device(name, *row));
    vm::put(*row, vm::get(*row, to), &now);
  }
  if (auto ok = vm::check(now); !ok) return tl::unexpected(ok.error());
  vm::KeptSettings kept = settings_[name];
  if (kept.added.name.empty()) kept.added = now;
  kept.now = now;
  set(kept);
  if (has(rows, "automatic")) autopilot_.set_automatic(name, now.automatic);
  return Changed{now, apply(now, rows, *vm)};
}

VmSettings::Changed VmSettings::take_over(const vm::Settings& settings) {
  const auto vm = fleet_.find(settings.name);
  VB_CHECK(vm);
  begin(settings, true);
  auto no_effect = apply(settings, vm::live_settings(), *vm);
  return {of(settings.name), std::move(no_effect)};
}

/// `automatic` is left out, because a person's word and the configuration's differ in effect: the
/// callers tell the autopilot which of the two it is.
std::optional<Status> VmSettings::apply(const vm::Settings& settings, const vm::Rows& rows,
                                        vm::Vm* vm) {
  std::optional<Status> no_effect;
  if (has(rows, "prefault")) {
    const auto done = vm->prefault(settings.prefault);
    if (!done) no_effect = done.error();
  }
  if (has(rows, "reporting")) vm->reporting(settings.reporting);
  if (has(rows, "effort")) vm->effort(settings.effort);
  if (has(rows, "floor_mib") || has(rows, "ceiling_mib") || has(rows, "weight")) {
    autopilot_.set_limits(settings.name, policy::limits_of(settings));
  }
  return no_effect;
}

}  // namespace vballoon::service
