// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/connection_slot.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/check.hpp"

namespace vballoon::vhost {
namespace {

constexpr std::chrono::milliseconds kBan{250};
constexpr const char* kOrphaned = "its process is gone, and only its connection was left";

}  // namespace

bool ConnectionSlot::admits(bool client) const noexcept {
  if (closed_) return false;
  return client || (!waiting_ && std::chrono::steady_clock::now() >= banned_until_);
}

ConnectionSlot::Place ConnectionSlot::place_of(int vid) const noexcept {
  if (served_ == vid) return Place::kServed;
  return waiting_ == vid ? Place::kWaiting : Place::kNone;
}

void ConnectionSlot::serve(int vid, Connection connection) noexcept {
  VB_CHECK(!taken());
  served_ = vid;
  connection_ = std::move(connection);
}

void ConnectionSlot::queue(int vid, Connection connection) noexcept {
  VB_CHECK(taken() && !waiting_);
  waiting_ = vid;
  next_ = std::move(connection);
}

void ConnectionSlot::drop_waiting(int vid) noexcept {
  if (waiting_ != vid) return;
  waiting_.reset();
  next_ = {};
}

void ConnectionSlot::vacate() noexcept {
  connection_ = {};
  served_.reset();
}

bool ConnectionSlot::advance() noexcept {
  const auto next = std::exchange(waiting_, std::nullopt);
  if (next) serve(*next, std::exchange(next_, {}));
  return next.has_value();
}

void ConnectionSlot::close(bool hands_on) noexcept {
  if (!hands_on) connection_.shut_down();
  next_.shut_down();
  next_ = {};
  closed_ = true;
}

std::optional<int> ConnectionSlot::vid() const noexcept {
  return served_;
}

Connection& ConnectionSlot::connection_of(int vid) noexcept {
  return served_ == vid ? connection_ : next_;
}

void ConnectionSlot::end_orphans() {
  const auto now = Connection::Clock::now();
  for (Connection* connection : {&connection_, &next_}) {
    if (!connection->valid() || !connection->orphaned(now)) continue;
    if (connection == &connection_) blame(kOrphaned);
    connection->shut_down();
  }
}

std::string ConnectionSlot::judge_end() {
  const std::string why = std::exchange(ended_why_, {});
  if (!why.empty()) return fmt::format("the VMM was disconnected: {}", why);
  if (connection_.hung_up()) return "the VMM disconnected";
  banned_until_ = std::chrono::steady_clock::now() + kBan;
  return "the VMM was disconnected because of what it sent";
}

}  // namespace vballoon::vhost
