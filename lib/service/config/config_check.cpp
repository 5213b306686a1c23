// SPDX-License-Identifier: BSD-3-Clause
#include "service/config/config_check.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "base/group.hpp"
#include "base/socket_file.hpp"
#include "vm/device_name.hpp"

namespace vballoon::service {
namespace {

Status put_before(const std::string& place, Status status) {
  if (status.code == Code::kNotFound) status.code = Code::kInvalidArgument;
  status.message.insert(0, place);
  return status;
}

/// @return the canonical spelling of a path. The file need not exist.
std::string one_spelling(const std::string& path) {
  std::error_code failed;
  const auto canonical = std::filesystem::weakly_canonical(path, failed);
  return failed ? path : canonical.string();
}

Result<void> check_device(const Config& config, const vm::Settings& device) {
  const auto blamed = [&](std::string_view key, const Result<void>& checked) -> Result<void> {
    if (checked) return {};
    return tl::unexpected(blame_device(config, device, key, checked.error()));
  };
  if (auto ok = blamed("name", vm::check_name(device.name)); !ok) return ok;
  if (auto ok = blamed("socket", check_socket_path(device.socket)); !ok) return ok;
  const auto group = find_group(device.group, "device.group");
  return group ? Result<void>() : blamed("group", tl::unexpected(group.error()));
}

Result<void> check_daemon(const Config& config) {
  if (auto ok = check_socket_path(config.rpc_socket); !ok) {
    return tl::unexpected(blame(config, "daemon.rpc_socket", ok.error()));
  }
  for (const auto& [name, key] : {std::pair{&config.rpc_group, "daemon.rpc_group"},
                                  std::pair{&config.socket_group, "daemon.socket_group"}}) {
    if (const auto group = find_group(*name, key); !group) {
      return tl::unexpected(blame(config, key, group.error()));
    }
  }
  return {};
}

/// Refuses two listeners on one path: the second would take the path from the first.
Result<void> check_paths(const Config& config) {
  std::map<std::string, std::string> owners{{one_spelling(config.rpc_socket), "vballoonctl"}};
  for (const vm::Settings& device : config.devices) {
    const auto [at, is_new] = owners.emplace(one_spelling(device.socket), device.name);
    if (is_new) continue;
    return tl::unexpected(blame_device(
        config, device, "socket",
        Status{Code::kInvalidArgument,
               fmt::format("device '{}' shares the socket {} with {}; give each its own",
                           device.name, device.socket, at->second)}));
  }
  return {};
}

}  // namespace

Result<void> check_config(const Config& config) {
  if (auto ok = check_daemon(config); !ok) return ok;
  for (const vm::Settings& device : config.devices) {
    if (auto ok = check_device(config, device); !ok) return ok;
  }
  return check_paths(config);
}

Status blame(const Config& config, std::string_view key, Status status) {
  return put_before(config.places.of(key), std::move(status));
}

Status blame_named(const Config& config, Status status) {
  const std::string key = status.message.substr(0, status.message.find(':'));
  return blame(config, key, std::move(status));
}

Status blame_device(const Config& config, const vm::Settings& device, std::string_view key,
                    Status status) {
  return put_before(config.places.of_device(device.name, key), std::move(status));
}

}  // namespace vballoon::service
