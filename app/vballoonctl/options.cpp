// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/options.cpp - the table of settings (vm/settings.hpp) on the command line.
#include "options.hpp"

#include <fmt/format.h>

#include "format.hpp"
#include "rpc/message.hpp"
#include "vm/settings.hpp"

namespace vballoon::ctl {
namespace {

using rpc::Json;

Json json_of(const vm::Value& value) {
  return std::visit([](const auto& plain) { return Json(plain); }, value);
}

}  // namespace

std::string option_fault(const std::string& text) {
  const std::string key = text.substr(0, text.find('='));
  if (key == "name" || key == "socket" || key == "mode") {
    return fmt::format("'{}' is no setting: NAME, SOCKET and --client say it", key);
  }
  const auto assignment = vm::parse_assignment(text);
  if (!assignment) return assignment.error().message;
  return assignment->setting->source == vm::Source::kConfiguration
             ? fmt::format("'{}' is set in the configuration only", key)
             : "";
}

void add_options(const std::vector<std::string>& options, Json* params) {
  for (const std::string& text : options) {
    const auto assignment = vm::parse_assignment(text);
    if (assignment) (*params)[std::string(assignment->setting->key)] = json_of(assignment->value);
  }
}

std::string changed_options(const Json& settings) {
  std::string changed;
  for (const vm::Setting& setting : vm::kSettings) {
    const auto at = settings.find(std::string(setting.key));
    const vm::Value usual = vm::get(setting, vm::Settings{});
    if (at == settings.end() || *at == json_of(usual)) continue;
    if (!changed.empty()) changed += ", ";
    changed += fmt::format("{}={}", setting.key,
                           at->is_string() ? text(settings, setting.key) : rpc::dump(*at));
  }
  return changed;
}

}  // namespace vballoon::ctl
