// SPDX-License-Identifier: BSD-3-Clause
#include "service/config/config_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "service/config/keys.hpp"

namespace vballoon::service {
namespace {

std::string toml_text(const std::string& text) {
  std::ostringstream out;
  out << toml::toml_formatter(toml::value<std::string>(text), toml::format_flags::none);
  return out.str();
}

/// Notes the values, and changes none.
class Texts final : public Keys {
 public:
  explicit Texts(std::vector<KeyText>& found) : found_(found) {}

  void table(std::string_view name, const Body& body) override {
    table_ = name;
    body(*this);
  }
  void flag(std::string_view key, bool* value) override { note(key, *value ? "true" : "false"); }
  void text(std::string_view key, std::string* value, std::string_view) override {
    note(key, toml_text(*value));
  }
  void texts(std::string_view key, std::vector<std::string>* value) override {
    std::vector<std::string> all;
    std::ranges::transform(*value, std::back_inserter(all), toml_text);
    note(key, fmt::format("[{}]", fmt::join(all, ", ")));
  }
  void word(std::string_view key, std::string* value, Words) override {
    note(key, toml_text(*value));
  }
  void number(std::string_view key, std::uint64_t* value, const Range&) override {
    note(key, std::to_string(*value));
  }
  void number(std::string_view key, std::optional<unsigned>* value, const Range&) override {
    note(key, *value ? std::to_string(**value) : "");
  }
  void numbers(std::string_view key, std::vector<unsigned>* value, const Range&, std::string* word,
               Words) override {
    note(key, word->empty() ? fmt::format("[{}]", fmt::join(*value, ", ")) : toml_text(*word));
  }
  void refuse(std::string_view, const std::string&) override {}
  [[nodiscard]] bool good() const noexcept override { return true; }

 private:
  void note(std::string_view key, std::string value) {
    found_.push_back({table_, std::string(key), std::move(value)});
  }

  std::vector<KeyText>& found_;
  std::string table_;
};

/// @param place  "FILE:12: " or "--rpc: ". @return the same without the colon and blank.
std::string origin(std::string place) {
  place.resize(place.size() - std::min<std::size_t>(place.size(), 2));
  return place;
}

std::string line(const KeyText& key, const std::string& from) {
  if (key.value.empty()) return fmt::format("# {} is not set\n", key.key);
  return fmt::format("{:<40}  # {}\n", fmt::format("{} = {}", key.key, key.value), from);
}

std::string tables_text(const Config& config) {
  std::string text;
  std::string table;
  const auto production = key_texts(default_config(Profile::kProduction));
  const auto keys = key_texts(config);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (std::exchange(table, keys[i].table) != keys[i].table) {
      text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", table);
    }
    std::string from = origin(config.places.of(keys[i].name()));
    if (from.empty()) from = keys[i] == production[i] ? "default" : "--dev";
    text += line(keys[i], from);
  }
  return text;
}

std::string device_text(const Config& config, const vm::Settings& device) {
  std::vector<KeyText> keys;
  Texts texts(keys);
  // go_through() writes every value back, unchanged.
  vm::Settings settings = device;
  go_through(texts, &settings);
  const std::string block = config.places.of_device(device.name, "");
  std::string text = "\n[[device]]\n";
  for (const KeyText& key : keys) {
    std::string place = config.places.of_key(device.name, key.key);
    const bool in_option = key.key == "name" || key.key == "socket" || key.key == "mode";
    if (place.empty() && block == kDeviceOption && in_option) place = block;
    text += line(key, place.empty() ? "default" : origin(place));
  }
  return text;
}

}  // namespace

std::vector<KeyText> key_texts(const Config& config) {
  std::vector<KeyText> found;
  Texts texts(found);
  // go_through() writes every value back, unchanged.
  Config copy = config;
  go_through(texts, &copy);
  return found;
}

std::string config_text(const Config& config) {
  std::string text = tables_text(config);
  for (const vm::Settings& device : config.devices) text += device_text(config, device);
  return text;
}

}  // namespace vballoon::service
