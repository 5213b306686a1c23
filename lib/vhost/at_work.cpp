// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/at_work.hpp"

#include <algorithm>
#include <unordered_map>

#include "vhost/gate.hpp"
#include "vhost/log_line.hpp"

namespace vballoon::vhost {
namespace {

/// Grows to the most connections that the process ever had at once, because the numbers of
/// descriptors are used again.
thread_local std::unordered_map<int, std::string> sockets;
thread_local const std::string* at_work = nullptr;

}  // namespace

void belongs_to(int connection, const std::string& socket) {
  at_work = &(sockets[connection] = socket);
}

void now_at(int connection) noexcept {
  if (sockets.empty()) return;
  const auto found = sockets.find(connection);
  at_work = found == sockets.end() ? nullptr : &found->second;
}

std::string readable_line(std::string_view line) {
  std::string text(line);
  const std::size_t begin = text.find(Gate::kNames);
  if (begin == std::string::npos) return text;
  const std::size_t end = text.find_first_not_of("0123456789abcdef", begin + Gate::kNames.size());
  const auto length = std::min(end, text.size()) - begin;
  return text.replace(begin, length, at_work != nullptr ? *at_work : "vhost-user sockets");
}

}  // namespace vballoon::vhost
