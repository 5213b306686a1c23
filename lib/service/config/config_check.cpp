// SPDX-License-Identifier: BSD-3-Clause
#include "service/config/config_check.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <utility>

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

/// What is wrong, each with its place.
class Complaints {
 public:
  explicit Complaints(const Config& config) : config_(config) {}
  template <typename T>
  void hear(std::string_view key, const Result<T>& checked) {
    if (!checked) add(blame(config_, key, checked.error()));
  }
  template <typename T>
  void hear(const vm::Settings& device, std::string_view key, const Result<T>& checked) {
    if (!checked) add(blame_device(config_, device, key, checked.error()));
  }
  [[nodiscard]] Result<void> result() && {
    if (all_.empty()) return {};
    return fail(Code::kInvalidArgument, std::move(all_));
  }

 private:
  void add(const Status& status) { all_ += (all_.empty() ? "" : "\n") + status.message; }

  const Config& config_;
  std::string all_;
};

void check_device(const vm::Settings& device, Complaints* complaints) {
  complaints->hear(device, "name", vm::check_name(device.name));
  complaints->hear(device, "socket", check_socket_path(device.socket));
  complaints->hear(device, "group", find_group(device.group, "device.group"));
}

void check_daemon(const Config& config, Complaints* complaints) {
  complaints->hear("daemon.rpc_socket", check_socket_path(config.rpc_socket));
  for (const auto& [name, key] : {std::pair{&config.rpc_group, "daemon.rpc_group"},
                                  std::pair{&config.rpc_observers, "daemon.rpc_observers"},
                                  std::pair{&config.socket_group, "daemon.socket_group"}}) {
    complaints->hear(key, find_group(*name, key));
  }
}

/// Refuses two listeners on one path: the second would take the path from the first.
void check_paths(const Config& config, Complaints* complaints) {
  std::map<std::string, std::string> owners{{one_spelling(config.rpc_socket), "vballoonctl"}};
  for (const vm::Settings& device : config.devices) {
    const auto [at, is_new] = owners.emplace(one_spelling(device.socket), device.name);
    if (is_new) continue;
    const Result<void> shared =
        fail(Code::kInvalidArgument,
             fmt::format("device '{}' shares the socket {} with {}; give each its own", device.name,
                         device.socket, at->second));
    complaints->hear(device, "socket", shared);
  }
}

}  // namespace

Result<void> check_config(const Config& config) {
  Complaints complaints(config);
  check_daemon(config, &complaints);
  for (const vm::Settings& device : config.devices) check_device(device, &complaints);
  check_paths(config, &complaints);
  return std::move(complaints).result();
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
