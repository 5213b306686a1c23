// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/seats.hpp"

#include <algorithm>

namespace vballoon::vhost {
namespace {

/// @return the lcore with the fewest devices, among those of the node if the node has any.
template <typename Places>
std::size_t least_loaded(const Places& places, unsigned node) {
  const bool near = std::any_of(places.begin(), places.end(),
                                [node](const auto& place) { return place.node == node; });
  const auto load = [&](const auto& place) {
    const unsigned devices = place.devices.load(std::memory_order_relaxed);
    return near && place.node != node ? UINT32_MAX : devices;
  };
  const auto least =
      std::min_element(places.begin(), places.end(),
                       [&](const auto& a, const auto& b) { return load(a) < load(b); });
  return static_cast<std::size_t>(least - places.begin());
}

constexpr unsigned kAnyNode = UINT32_MAX;

}  // namespace

Seats::Seats(const std::vector<PollSeat>& pollers, const std::vector<unsigned>& worker_nodes) {
  for (const PollSeat& seat : pollers) {
    Place& place = pollers_.emplace_back();
    place.poller = seat.poller;
    place.node = seat.node;
  }
  for (const unsigned node : worker_nodes) workers_.emplace_back().node = node;
}

Seat::Seat(Seats& seats) : seats_(seats) {
  Seats::Place& poller = seats.pollers_[least_loaded(seats.pollers_, kAnyNode)];
  sit(poller, poller.node);
}

Seat::~Seat() {
  poller_->devices.fetch_sub(1, std::memory_order_relaxed);
  if (!seats_.workers_.empty()) {
    seats_.workers_[worker_].devices.fetch_sub(1, std::memory_order_relaxed);
  }
}

/// @param node  the node for the reclaim lcore.
void Seat::sit(Seats::Place& poller, unsigned node) {
  poller.devices.fetch_add(1, std::memory_order_relaxed);
  if (poller_ != nullptr) poller_->devices.fetch_sub(1, std::memory_order_relaxed);
  const bool first = poller_ == nullptr;
  poller_ = &poller;
  if (seats_.workers_.empty()) return;
  if (!first) seats_.workers_[worker_].devices.fetch_sub(1, std::memory_order_relaxed);
  worker_ = static_cast<unsigned>(least_loaded(seats_.workers_, node));
  seats_.workers_[worker_].devices.fetch_add(1, std::memory_order_relaxed);
}

void Seat::prefer_node(unsigned node) {
  if (chosen_ || poller_->node == node) return;
  Seats::Place& poller = seats_.pollers_[least_loaded(seats_.pollers_, node)];
  if (poller.node == node) sit(poller, node);
}

bool Seat::move_to(unsigned lcore) {
  for (Seats::Place& place : seats_.pollers_) {
    if (place.poller->lcore() != lcore) continue;
    chosen_ = true;
    if (&place != poller_) sit(place, place.node);
    return true;
  }
  return false;
}

}  // namespace vballoon::vhost
