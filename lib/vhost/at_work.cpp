// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/at_work.hpp"

#include <algorithm>
#include <unordered_map>

#include "base/in_hand.hpp"
#include "vhost/gate.hpp"
#include "vhost/log_line.hpp"

namespace vballoon::vhost {
namespace {

/// Grows to the most connections that the process ever had at once, because the numbers of
/// descriptors are used again.
struct Belonging {
  std::string socket;
  const void* device = nullptr;
};
thread_local std::unordered_map<int, Belonging> sockets;
thread_local const std::string* at_work = nullptr;

}  // namespace

void belongs_to(int connection, const std::string& socket, const void* device) {
  at_work = &(sockets[connection] = {socket, device}).socket;
}

void now_at(int connection) noexcept {
  const auto found = sockets.find(connection);
  const bool known = found != sockets.end();
  at_work = known ? &found->second.socket : nullptr;
  InHand::set(known ? found->second.device : nullptr);
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
