// SPDX-License-Identifier: BSD-3-Clause
//
// docs/fill_settings.cpp - put the table of a VM's settings into a text that has a line for it.
// For the build: `fill-settings man|toml < TEMPLATE > TEXT` replaces the line with "@settings@", by
// entries of an scdoc page or by commented keys of a configuration.
#include <fmt/format.h>

#include <iostream>
#include <string>

#include "vm/settings.hpp"

namespace vballoon {
namespace {

constexpr std::string_view kMark = "@settings@";
constexpr std::size_t kColumns = 100;

/// What a reader is told in every form, in one order.
std::string sentences(const vm::Setting& setting) {
  std::string text(setting.about);
  if (!setting.more.empty()) text += fmt::format(" {}", setting.more);
  if (const auto* number = std::get_if<vm::Number>(&setting.kind)) {
    text += fmt::format(" {} to {}{}{}.", number->low, number->high,
                        number->unit.empty() ? "" : " ", number->unit);
  }
  const bool live = setting.effect == vm::Effect::kLive;
  text += live ? " Can change while the VM is served (vballoonctl set-option)."
               : " A change needs the device anew: its VMM connects again.";
  if (setting.source == vm::Source::kConfiguration) text += " Not over RPC.";
  return text;
}

/// As TOML has it.
std::string default_of(const vm::Setting& setting) {
  const vm::Value value = vm::get(setting, vm::Settings{});
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr ? fmt::format("\"{}\"", *text) : vm::text_of(value);
}

std::string values_of(const vm::Setting& setting) {
  if (std::holds_alternative<vm::Flag>(setting.kind)) return "true | false";
  if (const auto* word = std::get_if<vm::Word>(&setting.kind)) {
    std::string words;
    for (const std::string_view one : word->words) {
      words += fmt::format("{}\"{}\"", words.empty() ? "" : " | ", one);
    }
    return words;
  }
  return std::holds_alternative<vm::Text>(setting.kind) ? "_text_" : "_number_";
}

/// scdoc's own marks, as plain letters.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '_' || letter == '*' || letter == '\\') out += '\\';
    out += letter;
  }
  return out;
}

/// Lines that begin so, of kColumns at most.
std::string wrapped(std::string_view text, std::string_view begin) {
  std::string out;
  std::string line;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (!line.empty() && line.size() + 1 + end > kColumns) {
      out += line + '\n';
      line.clear();
    }
    line += fmt::format("{}{}", line.empty() ? begin : " ", text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + line + '\n';
}

void print_man(const vm::Setting& setting) {
  const std::string text =
      fmt::format("{} Default: {}.", escaped(sentences(setting)), default_of(setting));
  fmt::print("*{}* = {}\n{}\n", setting.key, values_of(setting), wrapped(text, "\t"));
}

void print_toml(const vm::Setting& setting) {
  fmt::print("{}# {} = {}\n#\n", wrapped(sentences(setting), "# # "), setting.key,
             default_of(setting));
}

int fill(void (*print)(const vm::Setting&)) {
  bool found = false;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.find(kMark) == std::string::npos) {
      fmt::print("{}\n", line);
      continue;
    }
    found = true;
    for (const vm::Setting& setting : vm::kSettings) print(setting);
  }
  if (!found) fmt::print(stderr, "fill-settings: no line has {}\n", kMark);
  return found ? 0 : 1;
}

}  // namespace
}  // namespace vballoon

int main(int argc, char** argv) {
  const std::string_view form = argc == 2 ? argv[1] : "";
  if (form == "man") return vballoon::fill(vballoon::print_man);
  if (form == "toml") return vballoon::fill(vballoon::print_toml);
  fmt::print(stderr, "usage: fill-settings man|toml < TEMPLATE\n");
  return 2;
}
