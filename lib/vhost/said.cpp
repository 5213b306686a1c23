// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/said.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace vballoon::vhost {
namespace {

/// Under which the witness of its answer is kept. The message itself is not repeated.
constexpr auto kLent = wire::Request::kGetInflightFd;

std::vector<std::byte> payload_of(wire::VringState state) {
  std::vector<std::byte> payload(sizeof(state));
  std::memcpy(payload.data(), &state, sizeof(state));
  return payload;
}

std::vector<std::byte> payload_of(const Message& message) {
  std::vector<std::byte> payload(
      std::min<std::size_t>(message.size(), longest_payload(message.request())));
  message.copy_payload(payload);
  return payload;
}

}  // namespace

void Said::hear(const Message& message) {
  heard_.reset();
  if (!is_said(message.request()) || message.request() == kLent) return;
  Entry entry{{message.request(), payload_of(message), message.fd_count()}, {}};
  for (std::size_t i = 0; i < message.fd_count(); ++i) {
    entry.descriptors.push_back(UniqueFd::duplicate(message.fd(i)));
    if (!entry.descriptors.back().valid()) incomplete_ = true;
  }
  heard_ = std::move(entry);
}

bool Said::accept() {
  if (!heard_) return false;
  const unsigned order = order_of(heard_->message);
  if (heard_->message.request == wire::Request::kSetInflightFd) forget_lent();
  entries_.insert_or_assign(order, *std::exchange(heard_, std::nullopt));
  return true;
}

void Said::repeat(SaidMessage message, std::vector<UniqueFd> descriptors) {
  const unsigned order = order_of(message);
  entries_.insert_or_assign(order, Entry{std::move(message), std::move(descriptors)});
}

void Said::drop(wire::Request request, unsigned ring) {
  entries_.erase(order_of({request, payload_of({ring, 0}), 0}));
}

void Said::lend(UniqueFd witness) {
  std::vector<UniqueFd> descriptors;
  descriptors.push_back(std::move(witness));
  repeat({kLent, {}, 1}, std::move(descriptors));
}

int Said::witness() const noexcept {
  const auto found = entries_.find(order_of({kLent, {}, 0}));
  const bool any = found != entries_.end() && !found->second.descriptors.empty();
  return any ? found->second.descriptors.front().get() : -1;
}

void Said::forget_lent() {
  entries_.erase(order_of({kLent, {}, 0}));
}

void Said::take_away(unsigned ring) {
  drop(wire::Request::kSetVringKick, ring);
  drop(wire::Request::kSetVringCall, ring);
}

void Said::stand_at(unsigned ring, std::uint16_t position) {
  repeat({wire::Request::kSetVringBase, payload_of({ring, position}), 0}, {});
}

void Said::forget_memory() {
  drop(wire::Request::kSetMemTable, 0);
}

std::vector<SaidMessage> Said::messages() const {
  std::vector<SaidMessage> all;
  for (const auto& [order, entry] : entries_) all.push_back(entry.message);
  return all;
}

void Said::list(std::vector<int>* fds) const {
  for (const auto& [order, entry] : entries_) {
    for (const UniqueFd& fd : entry.descriptors) fds->push_back(fd.get());
  }
}

}  // namespace vballoon::vhost
