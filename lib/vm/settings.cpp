// SPDX-License-Identifier: BSD-3-Clause
//
// vm/settings.cpp - the table of a VM's settings, applied to values.
#include "vm/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/check.hpp"
#include "base/nearest.hpp"

namespace vballoon::vm {
namespace {

template <typename... Fs>
struct Overload : Fs... {
  using Fs::operator()...;
};
// clang 14, which builds the fuzzers, deduces no such guide for an aggregate.
template <typename... Fs>
Overload(Fs...) -> Overload<Fs...>;

tl::unexpected<Status> refuse(const Setting& setting, std::string_view text) {
  return fail(Code::kInvalidArgument,
              fmt::format("'{}' must be {}, not '{}'", setting.key, expected(setting), text));
}

Result<Value> parse_flag(const Setting& setting, std::string_view text) {
  if (text == "true" || text == "on") return Value(true);
  if (text == "false" || text == "off") return Value(false);
  return refuse(setting, text);
}

Result<Value> parse_number(const Setting& setting, const Number& kind, std::string_view text) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  const bool whole = error == std::errc() && at == end;
  if (!whole || number < kind.low || number > kind.high) return refuse(setting, text);
  return Value(number);
}

std::string quoted(std::span<const std::string_view> words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool last = i + 1 == words.size();
    text += fmt::format("{}\"{}\"", i == 0 ? "" : last ? " or " : ", ", words[i]);
  }
  return text;
}

Result<Value> parse_word(const Setting& setting, const Word& kind, std::string_view text) {
  if (std::ranges::find(kind.words, text) == kind.words.end()) return refuse(setting, text);
  return Value(std::string(text));
}

Result<void> check_limits(const Settings& settings) {
  if (settings.ceiling_mib == 0 || settings.floor_mib <= settings.ceiling_mib) return {};
  return fail(Code::kInvalidArgument, fmt::format("'floor_mib' ({}) is above 'ceiling_mib' ({})",
                                                  settings.floor_mib, settings.ceiling_mib));
}

Result<void> check_node(const std::string& text) {
  constexpr unsigned kMostNode = 1023;
  unsigned node = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, node);
  if (text.empty() || (error == std::errc() && at == end && node <= kMostNode)) return {};
  return fail(Code::kInvalidArgument,
              fmt::format("'node' must be a whole number from 0 to {}, or empty, not '{}'",
                          kMostNode, text));
}

}  // namespace

Value get(const Setting& setting, const Settings& settings) {
  return std::visit([&settings](auto kind) { return Value(settings.*kind.field); }, setting.kind);
}

void put(const Setting& setting, const Value& value, Settings* settings) {
  std::visit(
      [&](auto kind) {
        auto& field = settings->*kind.field;
        field = std::get<std::remove_reference_t<decltype(field)>>(value);
      },
      setting.kind);
}

std::string expected(const Setting& setting) {
  const Overload text{[](const Flag&) { return std::string("true or false"); },
                      [](const Number& number) {
                        return fmt::format("a whole number{}{} from {} to {}",
                                           number.unit.empty() ? "" : " of ", number.unit,
                                           number.low, number.high);
                      },
                      [](const Word& word) { return quoted(word.words); },
                      [](const Text&) { return std::string("a text"); }};
  return std::visit(text, setting.kind);
}

std::string text_of(const Value& value) {
  return std::visit([](const auto& plain) { return fmt::format("{}", plain); }, value);
}

Result<Value> parse(const Setting& setting, std::string_view text) {
  using Parsed = Result<Value>;
  const Overload parser{
      [&](const Flag&) { return parse_flag(setting, text); },
      [&](const Number& kind) { return parse_number(setting, kind, text); },
      [&](const Word& kind) { return parse_word(setting, kind, text); },
      [&](const Text&) { return Parsed(Value(std::string(text))); },
  };
  return std::visit(parser, setting.kind);
}

const Setting* find_setting(std::string_view key) {
  const auto at = std::find_if(kSettings.begin(), kSettings.end(),
                               [key](const Setting& setting) { return setting.key == key; });
  return at == kSettings.end() ? nullptr : &*at;
}

const Setting& setting_named(std::string_view key) {
  const Setting* setting = find_setting(key);
  VB_CHECK(setting != nullptr);
  return *setting;
}

Rows live_settings() {
  Rows rows;
  for (const Setting& setting : kSettings) {
    if (setting.effect == Effect::kLive) rows.push_back(&setting);
  }
  return rows;
}

std::string text_of(const Rows& rows, const Settings& settings) {
  std::string text;
  for (const Setting* row : rows) {
    if (!text.empty()) text += ", ";
    text += fmt::format("{}={}", row->key, text_of(get(*row, settings)));
  }
  return text;
}

Result<Assignment> parse_assignment(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size()) {
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' is not KEY=VALUE, as in automatic=true", text));
  }
  const std::string_view key = text.substr(0, equals);
  const Setting* setting = find_setting(key);
  if (setting == nullptr) {
    std::vector<std::string_view> known;
    known.reserve(kSettings.size());
    for (const Setting& row : kSettings) known.push_back(row.key);
    return fail(Code::kInvalidArgument,
                fmt::format("unknown setting '{}'{}", key, suggestion(key, known)));
  }
  auto value = parse(*setting, text.substr(equals + 1));
  if (!value) return tl::unexpected(value.error());
  return Assignment{setting, *std::move(value)};
}

bool needs_new_device(const Settings& before, const Settings& after) {
  if (before.name != after.name || before.socket != after.socket || before.client != after.client) {
    return true;
  }
  return std::any_of(kSettings.begin(), kSettings.end(), [&](const Setting& setting) {
    return setting.effect == Effect::kNewDevice && get(setting, before) != get(setting, after);
  });
}

Result<void> check(const Settings& settings) {
  if (auto ok = check_limits(settings); !ok) return ok;
  if (auto ok = check_node(settings.node); !ok) return ok;
  if (settings.kind == kStock) return {};
  for (const auto& [key, on] : {std::pair("message_queue", settings.message_queue),
                                std::pair("page_poison", settings.page_poison)}) {
    if (!on) continue;
    return fail(
        Code::kInvalidArgument,
        fmt::format("'{}' is of the stock balloon, and 'kind' is \"{}\"", key, settings.kind));
  }
  return {};
}

}  // namespace vballoon::vm
