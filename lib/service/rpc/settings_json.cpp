// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/settings_json.cpp - reads and writes rows of the table of settings in JSON.
#include "service/rpc/settings_json.hpp"

#include <utility>

namespace vballoon::service {
namespace {

template <typename T>
std::optional<vm::Value> as_value(std::optional<T> taken) {
  if (!taken) return std::nullopt;
  return vm::Value(std::move(*taken));
}

std::optional<vm::Value> take(Params& params, const vm::Setting& setting) {
  if (const auto* number = std::get_if<vm::Number>(&setting.kind)) {
    return as_value(params.optional_number(setting.key, number->high, number->low));
  }
  if (std::holds_alternative<vm::Flag>(setting.kind)) {
    return as_value(params.optional_flag(setting.key));
  }
  auto text = params.optional_text(setting.key);
  if (text && std::holds_alternative<vm::Word>(setting.kind)) {
    if (auto word = vm::parse(setting, *text); !word) {
      params.refuse(setting.key, "must be " + vm::expected(setting));
    }
  }
  return as_value(std::move(text));
}

}  // namespace

vm::Rows read_settings(Params& params, vm::Settings* settings) {
  vm::Rows rows;
  for (const vm::Setting& setting : vm::kSettings) {
    if (setting.source == vm::Source::kConfiguration) {
      if (params.has(setting.key)) params.refuse(setting.key, "is set in the configuration only");
      continue;
    }
    const auto value = take(params, setting);
    if (!value) continue;
    vm::put(setting, *value, settings);
    rows.push_back(&setting);
  }
  return rows;
}

void write_settings(const vm::Settings& settings, rpc::JsonWriter* out) {
  out->begin_object();
  for (const vm::Setting& setting : vm::kSettings) {
    std::visit([&](const auto& plain) { out->field(setting.key, plain); },
               vm::get(setting, settings));
  }
  out->end_object();
}

}  // namespace vballoon::service
