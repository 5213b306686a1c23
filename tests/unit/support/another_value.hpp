// SPDX-License-Identifier: BSD-3-Clause
//
// support/another_value.hpp - change one setting of a VM, whatever its kind is.
#pragma once

#include "vm/settings.hpp"

namespace vballoon::test {

/// @return one of the setting's kind that settings do not have.
inline vm::Value another_value(const vm::Setting& setting, const vm::Settings& settings) {
  const vm::Value now = vm::get(setting, settings);
  if (const bool* flag = std::get_if<bool>(&now)) return !*flag;
  if (const auto* word = std::get_if<vm::Word>(&setting.kind)) {
    const bool first = std::get<std::string>(now) == word->words.front();
    return std::string(first ? word->words.back() : word->words.front());
  }
  if (const auto* text = std::get_if<std::string>(&now)) return *text + "1";
  const auto& range = std::get<vm::Number>(setting.kind);
  return std::get<std::uint64_t>(now) == range.low ? range.high : range.low;
}

inline vm::Settings with_another(const vm::Setting& setting, vm::Settings settings) {
  vm::put(setting, another_value(setting, settings), &settings);
  return settings;
}

}  // namespace vballoon::test
