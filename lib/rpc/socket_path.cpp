// SPDX-License-Identifier: BSD-3-Clause
#include "rpc/socket_path.hpp"

#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "base/socket_file.hpp"

namespace vballoon::rpc {
namespace {

constexpr const char* kSystemPath = "/run/vballoon/rpc.sock";

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

}  // namespace

std::string default_socket_path() {
  if (auto path = environment("VBALLOON_RPC")) return *path;
  return default_socket_folder() + "/rpc.sock";
}

std::string default_client_path() {
  std::string path = default_socket_path();
  if (environment("VBALLOON_RPC") || exists(path) || !exists(kSystemPath)) return path;
  return kSystemPath;
}

}  // namespace vballoon::rpc
