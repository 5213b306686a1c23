// SPDX-License-Identifier: BSD-3-Clause
//
// rpc/socket_path.cpp - see socket_path.hpp.
#include "rpc/socket_path.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

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
  if (::geteuid() == 0) return kSystemPath;
  if (auto folder = environment("XDG_RUNTIME_DIR")) return *folder + "/vballoon/rpc.sock";
  return fmt::format("/tmp/vballoon-{}/rpc.sock", ::geteuid());
}

std::string default_client_path() {
  std::string path = default_socket_path();
  if (environment("VBALLOON_RPC") || exists(path) || !exists(kSystemPath)) return path;
  return kSystemPath;
}

}  // namespace vballoon::rpc
