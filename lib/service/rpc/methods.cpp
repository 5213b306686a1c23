// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/methods.cpp - the methods; docs/rpc.md is the reference for callers.
#include "service/rpc/methods.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/log.hpp"
#include "base/size_text.hpp"
#include "lcore/plan.hpp"
#include "service/rpc/device_json.hpp"
#include "service/rpc/params.hpp"
#include "service/rpc/settings_json.hpp"

namespace vballoon::service {
namespace {

constexpr std::uint64_t kDefaultStatsTimeoutMs = 1000;
constexpr std::uint64_t kMaxStatsTimeoutMs = 60'000;
constexpr auto kMaxBytes = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

tl::unexpected<rpc::Error> refuse(const Status& status) {
  return tl::unexpected<rpc::Error>(rpc::to_error(status));
}

/// The size that `device.set` asks for.
Result<SizeOrShare> wanted_size(std::optional<std::uint64_t> bytes,
                                const std::optional<std::string>& size) {
  if (bytes.has_value() == size.has_value()) {
    return fail(Code::kInvalidArgument,
                "device.set takes one of target_bytes, a number, and size, as \"512M\" or \"50%\"");
  }
  if (bytes) return SizeOrShare{*bytes, std::nullopt};
  return parse_size_or_share(*size);
}

/// A larger target brings a warning about the memory that it leaves to the guest.
constexpr std::uint64_t most_unsaid(std::uint64_t guest) {
  return guest - guest / 10;
}

/// @return a warning where the wish is not kept for the next daemon.
std::vector<std::string> warnings_of(const vm::Kept& kept) {
  if (kept.why_not.empty()) return {};
  return {fmt::format("kept only as long as this daemon runs: {}", kept.why_not)};
}

/// Begins an object: whether the wish is kept for the next daemon, and the warnings.
/// @param warning  one more warning, of the request; or nothing.
void write_kept(const vm::Vm& vm, const std::optional<std::string>& warning, rpc::JsonWriter* out) {
  const vm::Kept kept = vm.kept();
  std::vector<std::string> warnings = warnings_of(kept);
  if (warning) warnings.push_back(*warning);
  out->begin_object();
  out->field("kept", kept.kept);
  write_warnings(warnings, out);
}

/// The result for a switch of a VM that is kept for the next daemon.
rpc::Body kept_switch(const vm::Vm& vm, std::string_view name, bool on) {
  rpc::JsonWriter out;
  write_kept(vm, std::nullopt, &out);
  out.field(name, on);
  out.end_object();
  return rpc::Body(out.take());
}

/// The result of `device.set`, with warnings.
rpc::Body set_result(const vm::Vm& vm, const vm::TargetSet& set,
                     const std::optional<Share>& share) {
  std::optional<std::string> warning;
  if (set.guest != 0 && set.target > most_unsaid(set.guest)) {
    warning = fmt::format("it leaves {} of its {} to the guest",
                          format_size(set.guest - set.target), format_size(set.guest));
  }
  rpc::JsonWriter out;
  write_kept(vm, warning, &out);
  const bool of_nobody = share && set.guest == 0;
  out.field("target_bytes", of_nobody ? std::nullopt : std::optional(set.target));
  out.field("target_share", share_json(share));
  out.field("guest_bytes", set.guest);
  out.end_object();
  return rpc::Body(out.take());
}

Status automatic_already(const std::string& name) {
  return Status{Code::kUnavailable,
                fmt::format("{} is ballooned automatically, and the next turn would undo it; "
                            "`vballoonctl policy auto {} off` comes first",
                            name, name)};
}

/// @return settings with one switch set, for the method of that switch.
vm::Settings with(std::string_view key, bool on) {
  vm::Settings settings;
  vm::put(vm::setting_named(key), on, &settings);
  return settings;
}

Result<wire::HintAction> hint_action(std::string_view word) {
  if (word == "start") return wire::HintAction::kStart;
  if (word == "stop") return wire::HintAction::kStop;
  if (word == "done") return wire::HintAction::kDone;
  return fail(Code::kInvalidArgument,
              fmt::format("device.hint: 'action' must be \"start\", \"stop\" or \"done\", not "
                          "\"{}\"",
                          word));
}

}  // namespace

void Methods::say(const std::function<std::string()>& what) {
  std::uint64_t dropped = 0;
  if (!gate_.open(&dropped)) return;
  log::info("{}", what());
  if (dropped != 0) log::info("rpc: {} more such lines of clients were not shown", dropped);
}

Methods::Answer Methods::list(const rpc::Json& object) {
  const Params params(object, "device.list");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  rpc::JsonWriter out;
  out.begin_object();
  out.key("devices");
  out.begin_array();
  for (const vm::Vm* vm : fleet_.vms()) {
    const vm::Settings& settings = vm->settings();
    write_summary(settings, vm->figures(), autopilot_.automatic(settings.name), &out);
  }
  out.end_array();
  write_warnings(warnings(), &out);
  out.end_object();
  return rpc::Body(out.take());
}

Methods::Answer Methods::show(const rpc::Json& object) {
  Params params(object, "device.show");
  const std::string name = params.text("name");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  const auto vm = fleet_.find(name);
  if (!vm) return refuse(vm.error());
  rpc::JsonWriter out;
  write_device(settings_.of(name), (*vm)->report(), &out);
  return rpc::Body(out.take());
}

Methods::Answer Methods::set(const rpc::Json& object) {
  Params params(object, "device.set");
  const std::string name = params.text("name");
  const auto bytes = params.optional_number("target_bytes", kMaxBytes);
  const auto size = params.optional_text("size");
  const bool force = params.optional_flag("force").value_or(false);
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());

  const auto vm = fleet_.find(name);
  if (!vm) return refuse(vm.error());
  if (autopilot_.automatic(name)) return refuse(automatic_already(name));
  const auto wanted = wanted_size(bytes, size);
  if (!wanted) return refuse(wanted.error());
  const auto set = (*vm)->set_target({*wanted, force});
  if (!set) return refuse(set.error());
  const bool of_nobody = wanted->share && set->guest == 0;
  say([&] {
    return fmt::format(
        "{}: target {}, was {}", name,
        of_nobody ? format_share(*wanted->share) + " of its memory" : format_size(set->target),
        format_size(set->before));
  });
  return set_result(**vm, *set, wanted->share);
}

Methods::Answer Methods::add(const rpc::Json& object) {
  Params params(object, "device.add");
  vm::Settings device{params.text("name"), params.text("socket")};
  const std::string mode = params.optional_text("mode").value_or("server");
  read_settings(params, &device);
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  if (mode != "server" && mode != "client") {
    return rpc::refuse(
        rpc::kInvalidParams,
        fmt::format("device.add: 'mode' must be \"server\" or \"client\", not \"{}\"", mode));
  }
  device.client = mode == "client";
  if (auto ok = vm::check(device); !ok) {
    return rpc::refuse(rpc::kInvalidParams, "device.add: " + ok.error().message);
  }
  if (auto added = fleet_.add(device); !added) return refuse(added.error());
  settings_.begin(device, false);
  say("{}: added, {} {}", device.name, mode, device.socket);
  return rpc::Json::object();
}

Methods::Answer Methods::configure(const rpc::Json& object) {
  Params params(object, "device.configure");
  const std::string name = params.text("name");
  vm::Settings to;
  const vm::Rows rows = read_settings(params, &to);
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  if (rows.empty()) {
    return rpc::refuse(rpc::kInvalidParams,
                       "device.configure needs a setting beside 'name', as in \"weight\": 200");
  }
  const auto vm = fleet_.find(name);
  if (!vm) return refuse(vm.error());
  const auto changed = settings_.change(name, to, rows);
  if (!changed) return refuse(changed.error());
  say("{}: {}", name, vm::text_of(rows, changed->now));
  // Of all settings only `automatic` is kept for the next daemon.
  const bool keeps = std::any_of(rows.begin(), rows.end(),
                                 [](const auto* row) { return row->key == "automatic"; });
  std::vector<std::string> warnings;
  if (keeps) warnings = warnings_of((*vm)->kept());
  if (changed->no_effect) warnings.push_back(changed->no_effect->message);
  rpc::JsonWriter out;
  out.begin_object();
  out.key("settings");
  write_settings(changed->now, &out);
  write_warnings(warnings, &out);
  out.end_object();
  return rpc::Body(out.take());
}

Methods::Answer Methods::remove(const rpc::Json& object) {
  Params params(object, "device.remove");
  const std::string name = params.text("name");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  if (auto removed = fleet_.remove(name); !removed) return refuse(removed.error());
  settings_.end(name);
  say("{}: removed", name);
  return rpc::Json::object();
}

Methods::Answer Methods::inhibit(const rpc::Json& object) {
  Params params(object, "device.inhibit");
  const std::string name = params.text("name");
  const bool on = params.flag("on");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  const auto vm = fleet_.find(name);
  if (!vm) return refuse(vm.error());
  (*vm)->inhibit(on);
  say("{}: discards are {}", name, on ? "inhibited" : "allowed again");
  return kept_switch(**vm, "inhibited", on);
}

Methods::Answer Methods::prefault(const rpc::Json& object) {
  Params params(object, "device.prefault");
  const std::string name = params.text("name");
  const bool on = params.flag("on");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  const auto done = settings_.change(name, with("prefault", on), {&vm::setting_named("prefault")});
  if (!done) return refuse(done.error());
  if (done->no_effect) return refuse(*done->no_effect);
  say("{}: pages are {} before the guest gets them back", name,
      on ? "fetched" : "no longer fetched");
  return rpc::Json{{"prefault", on}, {"kept", false}};
}

Methods::Answer Methods::reporting(const rpc::Json& object) {
  Params params(object, "device.reporting");
  const std::string name = params.text("name");
  const bool on = params.flag("on");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  const auto done =
      settings_.change(name, with("reporting", on), {&vm::setting_named("reporting")});
  if (!done) return refuse(done.error());
  say("{}: pages that the guest reports are {}", name, on ? "discarded" : "kept");
  return rpc::Json{{"reporting", on}, {"kept", false}};
}

Methods::Answer Methods::hint(const rpc::Json& object) {
  Params params(object, "device.hint");
  const std::string name = params.text("name");
  const std::string word = params.text("action");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  const auto action = hint_action(word);
  if (!action) return refuse(action.error());
  const auto vm = fleet_.find(name);
  if (!vm) return refuse(vm.error());
  const auto command = (*vm)->hint(*action);
  if (!command) return refuse(command.error());
  say("{}: free page hints: {}, command id {}", name, word, *command);
  return rpc::Json{{"command_id", *command}};
}

Methods::Answer Methods::move(const rpc::Json& object) {
  Params params(object, "device.move");
  const std::string name = params.text("name");
  const auto lcore = params.number("lcore", lcore::kMaxLcores);
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  const auto vm = fleet_.find(name);
  if (!vm) return refuse(vm.error());
  if (auto done = (*vm)->move_to(static_cast<unsigned>(lcore)); !done) {
    return refuse(done.error());
  }
  say("{}: served by lcore {}", name, lcore);
  return rpc::Json{{"lcore", lcore}};
}

Methods::Answer Methods::lcores(const rpc::Json& object) {
  const Params params(object, "lcore.list");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  rpc::Json lcores = rpc::Json::array();
  for (const lcore::LcoreReport& report : fleet_.lcores()) lcores.push_back(lcore_json(report));
  return rpc::Json{{"lcores", std::move(lcores)}};
}

Methods::Answer Methods::policy_show(const rpc::Json& object) {
  const Params params(object, "policy.show");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  return autopilot_.show();
}

Methods::Answer Methods::policy_explain(const rpc::Json& object) {
  Params params(object, "policy.explain");
  const std::string name = params.text("name");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  if (const auto vm = fleet_.find(name); !vm) return refuse(vm.error());
  return autopilot_.explain(name);
}

Methods::Answer Methods::policy_auto(const rpc::Json& object) {
  Params params(object, "policy.auto");
  const std::string name = params.text("name");
  const bool on = params.flag("on");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  const auto vm = fleet_.find(name);
  if (!vm) return refuse(vm.error());
  const auto done =
      settings_.change(name, with("automatic", on), {&vm::setting_named("automatic")});
  if (!done) return refuse(done.error());
  say("{}: ballooned {}", name, on ? "automatically" : "by hand");
  return kept_switch(**vm, "automatic", on);
}

void Methods::stats(const rpc::Json& object, Asker asker, Responder done) {
  Params params(object, "device.stats");
  const std::string name = params.text("name");
  const auto timeout = params.optional_number("timeout_ms", kMaxStatsTimeoutMs);
  if (auto ok = params.finish(); !ok) return done(tl::unexpected(ok.error()));
  stats_.ask(name, std::chrono::milliseconds(timeout.value_or(kDefaultStatsTimeoutMs)), asker,
             std::move(done));
}

}  // namespace vballoon::service
