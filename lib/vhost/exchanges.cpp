// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/exchanges.hpp"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <memory>
#include <utility>

namespace vballoon::vhost {
namespace {

/// A lock would not do: close(2) is called by signal handlers and by run times, too. Pages of the
/// table that nobody uses are not there.
std::array<std::atomic<keep::Exchange*>, kConnectionNumbers> all;

std::atomic<keep::Exchange*>* slot_of(int connection) noexcept {
  const auto number = static_cast<std::size_t>(connection);
  return connection >= 0 && number < kConnectionNumbers ? &all[number] : nullptr;
}

tl::unexpected<Status> out_of_bounds(int connection) {
  return fail(Code::kHost, fmt::format("descriptor {} of a connection is above the {} that are "
                                       "served; lower LimitNOFILE= of the service (ulimit -n)",
                                       connection, kConnectionNumbers));
}

}  // namespace

Result<void> begin_exchange(int connection) {
  auto* const slot = slot_of(connection);
  if (slot == nullptr) return out_of_bounds(connection);
  auto exchange = keep::Exchange::begin(connection);
  if (!exchange) return tl::unexpected(exchange.error());
  drop_exchange(connection);
  slot->store(std::make_unique<keep::Exchange>(*std::move(exchange)).release());
  return {};
}

Result<void> take_up_exchange(int connection, UniqueFd answers, int witness) {
  auto* const slot = slot_of(connection);
  if (slot == nullptr) return out_of_bounds(connection);
  keep::Settled settled{};
  auto exchange = keep::Exchange::go_on(connection, std::move(answers), &settled, witness);
  if (!exchange) return tl::unexpected(exchange.error());
  if (settled == keep::Settled::kDoubtful) {
    return fail(Code::kUnavailable, "nobody can tell whether its VMM has the answer it waited for");
  }
  drop_exchange(connection);
  slot->store(std::make_unique<keep::Exchange>(*std::move(exchange)).release());
  return {};
}

keep::Exchange* find_exchange(int connection) noexcept {
  const auto* const slot = slot_of(connection);
  return slot == nullptr ? nullptr : slot->load(std::memory_order_acquire);
}

void drop_exchange(int connection) noexcept {
  auto* const slot = slot_of(connection);
  if (slot == nullptr || slot->load(std::memory_order_relaxed) == nullptr) return;
  const std::unique_ptr<keep::Exchange> gone(slot->exchange(nullptr));
}

}  // namespace vballoon::vhost
