// SPDX-License-Identifier: BSD-3-Clause
//
// service/config/config.cpp - makes a checked Config of TOML.
#include "service/config/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "rpc/socket_path.hpp"
#include "service/config/keys.hpp"
#include "service/config/table_reader.hpp"

namespace vballoon::service {
namespace {

constexpr std::array<std::string_view, 6> kLogLevels{"trace",   "debug", "info",
                                                     "warning", "warn",  "error"};
void read_device(TableReader& table, Config* config) {
  vm::Settings device;
  go_through(table, &device);
  if (table.good()) {
    if (auto ok = vm::check(device); !ok) table.refuse(ok.error().message);
  }
  const bool named = table.require("name"), has_socket = table.require("socket");
  if (!named || !has_socket || !table.good()) return;
  config->devices.push_back(std::move(device));
  if (auto unique = check_devices(config->devices); !unique) {
    table.refuse(unique.error().message);
    // The next device is compared with the first of this name, and the fault is told once.
    config->devices.pop_back();
  }
}

/// Notes the line of every key of the file, known or not.
void note_places(const toml::table& root, const std::string& source, Places* places) {
  const auto place_of = [&source](const toml::node& node) {
    return fmt::format("{}:{}: ", source, node.source().begin.line);
  };
  for (const auto& [name, node] : root) {
    const std::string outer(name.str());
    if (const toml::table* table = node.as_table()) {
      for (const auto& [key, value] : *table) {
        places->add(outer + "." + std::string(key.str()), place_of(value));
      }
    } else if (node.is_array_of_tables()) {
      for (const toml::node& item : *node.as_array()) {
        const toml::table& block = *item.as_table();
        const std::string device = block["name"].value_or(std::string());
        places->add_device(device, "", place_of(item));
        for (const auto& [key, value] : block) {
          places->add_device(device, std::string(key.str()), place_of(value));
        }
      }
    }
  }
}

Result<Config> read_file(const toml::table& root, const std::string& source, Profile profile) {
  Config config = default_config(profile);
  Faults faults(source);
  TableReader top(root, "", faults);
  go_through(top, &config);
  top.blocks("device", [&config](TableReader& table) { read_device(table, &config); });
  top.finish();
  if (auto read = std::move(faults).result(); !read) return tl::unexpected(read.error());
  if (config.rpc_socket.empty()) config.rpc_socket = rpc::default_socket_path();
  note_places(root, source, &config.places);
  return config;
}

}  // namespace

Config default_config(Profile profile) {
  Config config;
  static_cast<lcore::LcoreSettings&>(config) = lcore::default_settings(profile);
  config.rpc_socket = rpc::default_socket_path();
  return config;
}

std::span<const std::string_view> log_levels() noexcept {
  return kLogLevels;
}

bool is_log_level(std::string_view name) noexcept {
  return std::find(kLogLevels.begin(), kLogLevels.end(), name) != kLogLevels.end();
}

std::string log_level_named(std::string_view name) {
  return std::string(name == "warn" ? "warning" : name);
}

Result<Config> parse_config(std::string_view text, const std::string& source, Profile profile) {
  try {
    return read_file(toml::parse(text, source), source, profile);
  } catch (const toml::parse_error& error) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("{}:{}: not TOML: {}", source, error.source().begin.line, error.description()));
  }
}

Result<Config> load_config(const std::string& path, Profile profile) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const int reason = errno;
    return fail(reason == ENOENT ? Code::kNotFound : Code::kHost,
                fmt::format("{}: {}; name the configuration with --config, or use --dev without "
                            "one",
                            path, std::strerror(reason)));
  }
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return fail(Code::kHost, fmt::format("{}: a folder; name the file in it", path));
  }
  std::ostringstream text;
  text << file.rdbuf();
  return parse_config(text.str(), path, profile);
}

Result<vm::Settings> parse_device_option(std::string_view text) {
  static constexpr std::string_view kClient = "client:";
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size()) {
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' is no device; write NAME=SOCKET, as in vm1=./vm1.sock, or "
                            "NAME=client:SOCKET",
                            text));
  }
  vm::Settings device{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
  if (device.socket.starts_with(kClient)) {
    device.client = true;
    device.socket.erase(0, kClient.size());
  }
  if (device.socket.empty()) {
    return fail(Code::kInvalidArgument, fmt::format("'{}' names no socket", text));
  }
  return device;
}

Result<void> check_devices(const std::vector<vm::Settings>& devices) {
  std::set<std::string_view> names;
  std::set<std::string_view> sockets;
  for (const vm::Settings& device : devices) {
    if (!names.insert(device.name).second) {
      return fail(
          Code::kInvalidArgument,
          fmt::format("two devices are named '{}'; give each a name of its own", device.name));
    }
    if (!sockets.insert(device.socket).second) {
      return fail(Code::kInvalidArgument,
                  fmt::format("device '{}' shares the socket {} with another; give each its own",
                              device.name, device.socket));
    }
  }
  return {};
}

}  // namespace vballoon::service
