// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/restore.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <limits>
#include <span>
#include <utility>

#include "keep/boot_clock.hpp"
#include "keep/packet.hpp"
#include "vhost/connection.hpp"
#include "virtq/mark.hpp"

namespace vballoon::vhost {
namespace {

using wire::Request;

/// A connection that so many daemons in a row began to take up and never served may be the reason
/// why they end, in a way that is noted nowhere (by SIGKILL, for want of memory). The reason may as
/// well be another one that is taken up at the same time. So this is far above what Blame allows
/// such another one.
constexpr std::uint32_t kMostRestores = 30;

std::uint64_t first_number(const SaidMessage& message) noexcept {
  std::uint64_t number = 0;
  const std::size_t bytes = std::min(message.payload.size(), sizeof(number));
  if (bytes != 0) std::memcpy(&number, message.payload.data(), bytes);
  return number;
}

}  // namespace

Restore::Restore(Inheritance inheritance, const std::optional<vm::Left>& left)
    : record_(std::move(inheritance.record)), left_(left), last_sign_ms_(inheritance.last_sign_ms) {
  auto next = std::make_move_iterator(inheritance.descriptors.begin());
  connection_ = *next++;
  answers_ = *next++;
  for (const SaidMessage& message : record_.said) {
    std::vector<UniqueFd> descriptors(next,
                                      next + static_cast<std::ptrdiff_t>(message.descriptors));
    next += static_cast<std::ptrdiff_t>(message.descriptors);
    said_.repeat(message, std::move(descriptors));
  }
}

/// Of another kind the same bits and rings mean other things.
bool Restore::is_of_this_kind(const vm::Settings& settings) const {
  const auto kept = vm::read_kept_settings(record_.settings);
  const vm::Settings before = kept ? kept->added : vm::Settings{};
  return before.kind == settings.kind &&
         (settings.kind == vm::kStock ||
          (before.page_sizes == settings.page_sizes && before.node == settings.node));
}

std::string Restore::why_not(const DeviceSpec& spec) const {
  const wire::Features offered = spec.offered();
  if (!is_of_this_kind(spec)) return "its device is of another kind, or of other pages, now";
  if (has_hung_up(connection_.get())) return "the VMM disconnected meanwhile";
  if (record_.restores >= kMostRestores) {
    return fmt::format("{} daemons in a row ended while they took it up", record_.restores);
  }
  for (const SaidMessage& message : record_.said) {
    const std::uint64_t bits = first_number(message);
    if (message.request == Request::kSetFeatures && (bits & ~offered.bits()) != 0) {
      return fmt::format("its driver accepted features {:#x} that are not offered any more",
                         bits & ~offered.bits());
    }
  }
  return {};
}

bool Restore::needs_state() const noexcept {
  return std::any_of(record_.said.begin(), record_.said.end(), [](const SaidMessage& message) {
    return message.request == Request::kSetVringKick;
  });
}

std::optional<vm::RingRecord> Restore::left_of(unsigned ring) const noexcept {
  return left_ ? std::optional(left_->rings[ring]) : std::nullopt;
}

Result<void> Restore::count(keep::Bag& bag, const std::optional<Door>& door) {
  ++record_.restores;
  std::vector<int> fds;
  record_.door.reset();
  if (door) {
    record_.door = door->is;
    fds.push_back(door->fd);
  }
  fds.insert(fds.end(), {connection_.get(), answers_.get()});
  said_.list(&fds);
  return bag.put(encode(record_), fds);
}

vm::Restarts Restore::restarts() const noexcept {
  vm::Restarts restarts = record_.restarts;
  ++restarts.count;
  const std::uint64_t now = keep::boot_ms();
  const std::uint64_t gap = last_sign_ms_ && *last_sign_ms_ < now ? now - *last_sign_ms_ : 0;
  restarts.last_ms = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(gap, std::numeric_limits<std::uint32_t>::max()));
  restarts.longest_ms = std::max(restarts.longest_ms, restarts.last_ms);
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  restarts.last_at_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
  return restarts;
}

/// librte_vhost warns of a ring whose place is not where its used index is.
SaidMessage Restore::with_place(SaidMessage message) const {
  if (message.request != Request::kSetVringBase) return message;
  wire::VringState state;
  std::memcpy(&state, message.payload.data(), sizeof(state));
  const auto left = left_of(state.index);
  if (!left || left->layout == vm::kNoRing ||
      left->generation != record_.rings[state.index].generation) {
    return message;
  }
  state.num = std::bit_cast<virtq::Mark>(left->mark).published;
  std::memcpy(message.payload.data(), &state, sizeof(state));
  return message;
}

Result<UniqueFd> Restore::begin() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(Code::kHost, fmt::format("no socket pair can be made: {}", std::strerror(errno)));
  }
  ours_.reset(ends[0]);
  UniqueFd theirs(ends[1]);
  std::vector<int> fds;
  said_.list(&fds);
  auto next = fds.cbegin();
  for (const SaidMessage& message : record_.said) {
    const auto last = next + static_cast<std::ptrdiff_t>(message.descriptors);
    const std::vector<int> its{next, last};
    next = last;
    if (message.request == Request::kGetInflightFd) continue;  // a witness
    if (auto ok = say(ends[0], with_place(message), its); !ok) return tl::unexpected(ok.error());
  }
  if (auto ok = say(ends[0], {kSwap, {}, 0}, {}); !ok) return tl::unexpected(ok.error());
  return theirs;
}

Result<void> Restore::say(int to, const SaidMessage& message, const std::vector<int>& fds) const {
  wire::Header header{static_cast<std::uint32_t>(message.request), wire::kVersion,
                      static_cast<std::uint32_t>(message.payload.size())};
  const std::array<iovec, 2> parts{
      {{&header, sizeof(header)},
       {const_cast<std::byte*>(message.payload.data()), message.payload.size()}}};
  const int error = keep::send_packet({to}, parts, fds, MSG_DONTWAIT);
  if (error == 0) return {};
  return fail(Code::kHost, fmt::format("message {} cannot be repeated: {}", header.request,
                                       std::strerror(error)));
}

}  // namespace vballoon::vhost
