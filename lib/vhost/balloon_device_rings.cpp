// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_rings.cpp - starting and stopping the rings of a device, one by one.
// Source: vhost-user protocol, "Ring states" and "A vring descriptor index"; VIRTIO 1.2, 2.7, 2.8.
#include <fmt/format.h>

#include <utility>

#include "vhost/balloon_device.hpp"

namespace vballoon::vhost {
namespace {

constexpr std::chrono::minutes kNoCalls{1};

std::byte* bytes_at(void* area) noexcept {
  return static_cast<std::byte*>(area);
}

/// librte_vhost has the areas of both layouts in the same three places.
virtq::QueueAreas areas_of(const rte_vhost_vring& vring, bool packed) noexcept {
  std::byte* const descriptors = bytes_at(vring.desc);
  std::byte* const driver = bytes_at(vring.avail);
  std::byte* const device = bytes_at(vring.used);
  if (packed) return virtq::PackedAreas{descriptors, driver, device, vring.size};
  return virtq::SplitAreas{descriptors, driver, device, vring.size};
}

}  // namespace

/// The ring as librte_vhost knows it. Nothing where it has not translated the addresses (yet).
std::optional<BalloonDevice::Found> BalloonDevice::describe_ring(unsigned index) const {
  const auto id = static_cast<std::uint16_t>(index);
  rte_vhost_vring vring{};
  std::uint16_t position = 0;  // of a packed ring with the wrap counter, in bit 15
  std::uint16_t used = 0;
  if (rte_vhost_get_vhost_vring(*vid_, id, &vring) != 0 ||
      rte_vhost_get_vring_base(*vid_, id, &position, &used) != 0 || vring.desc == nullptr ||
      vring.avail == nullptr || vring.used == nullptr) {
    return std::nullopt;
  }
  Found found;
  datapath::QueueSetup& setup = found.setup;
  setup.index = index;
  setup.areas = areas_of(vring, acked_.has(wire::Feature::kRingPacked));
  setup.call_fd = vring.callfd;
  if (acked_.has(wire::Feature::kLogAll)) setup.log = dirty_log_.log();
  virtq::Standing now = virtq::look_at(setup.areas, position, *path_.memory());
  if (!rings_[index].begun) {
    if (const auto place = place_left(index, setup.areas, now.position)) {
      now = virtq::look_at(setup.areas, place->position, *path_.memory());
      found.ours = place->ours;
      setup.resumed = place->ours && place->sure && !now.unused;
    }
  } else {
    // A driver that was reset begins with a ring that looks unused; one that was only paused goes
    // on where it was stopped. Both may be true of the place where rings begin, but for a ring that
    // stood still only for the length of one message.
    found.ours = rings_[index].stopped == now.position;
    setup.resumed = found.ours && (!now.unused || rings_[index].suspended);
  }
  setup.position = now.position;
  found.unused = now.unused;
  return found;
}

/// A front end starts its rings in the order of their numbers.
bool BalloonDevice::gap_below(unsigned index) const {
  for (unsigned below = static_cast<unsigned>(wire::Role::kStats); below < index; ++below) {
    if (!rings_[below].ready) return true;
  }
  return false;
}

/// @pre The data path is off its lcore, or will be before start() below.
void BalloonDevice::start_ring(unsigned index) {
  RingState& ring = rings_[index];
  if (!memory_valid_ || memory_lost_ || ring.role) return;
  if (!acked_.has(wire::Feature::kVersion1)) {
    return warn_of_legacy();
  }
  if (undecided_) {
    if (decide()) start_waiting();
    return;
  }
  const auto role = wire::role_of_queue(index, acked_, gap_below(index), spec_.bit_two());
  auto found = describe_ring(index);
  if (!role || !found || path_.running(*role)) return;
  datapath::QueueSetup& setup = found->setup;
  take_back();
  // A reset shows at the inflate ring; and at whichever ring comes first, for once that is served
  // the window is, too, and its pages are the new driver's.
  const bool first = !path_.any_running();
  if (!setup.resumed && (first || *role == wire::Role::kInflate)) {
    start_anew();
    provide_tables();
    // It may be the old one after all, and hold pages that it hinted.
    if (config_.hint_command() != wire::kHintDone) notify_due_.store(true);
    // A driver that begins anew has no pages away. One that comes from another host goes on where
    // it was, with the size that the VMM has restored; its pages are learned as they come.
    ledger_whole_ = found->unused;
    if (found->unused) {
      config_.begin_anew();
    } else {
      if (rings_[index].begun) config_.forget_actual();
      static_cast<void>(config_.command_hints(wire::HintAction::kDone));
    }
    keep_driver_fields();
  }
  if (*role == wire::Role::kStats) start_stats(setup.resumed);
  setup.marks = marks_of(index);
  if (setup.call_fd >= 0 && !may_call(index, setup.call_fd)) setup.call_fd = -1;
  if (auto started = path_.start(*role, setup); !started) {
    return warn(fmt::format("queue {} ({}) is not served: {}", index, wire::role_name(*role),
                            started.error().message));
  }
  ring.role = role;
  note_begun(index);
  if (*role != wire::Role::kInflate) return;
  resident_then_.reset();
  // A fresh driver reads it by itself; one that has not inflated yet looks like that, too.
  if (!ring.suspended && (!found->unused || config_.num_pages() != 0)) tell_target();
}

/// A call that was made to block cost all VMs of its lcore up to two turns of CallGuard; how often
/// is not for the VMM to choose.
bool BalloonDevice::may_call(unsigned index, int fd) {
  const auto now = std::chrono::steady_clock::now();
  const std::uint64_t blocked = path_.counters().blocked_calls.get();
  if (std::exchange(blocked_calls_, blocked) != blocked) no_calls_until_ = now + kNoCalls;
  if (now < no_calls_until_) {
    warn(
        "the VMM made a call to its driver block; its driver is not called by rings that start "
        "within a minute of that");
    return false;
  }
  if (virtq::Call::fits(fd)) return true;
  warn(
      fmt::format("the call descriptor of queue {} is neither an eventfd nor a UNIX socket; its "
                  "driver is not called",
                  index));
  return false;
}

/// Once a connection: the driver will not change its mind, and has five rings.
void BalloonDevice::warn_of_legacy() {
  if (std::exchange(told_of_legacy_, true)) return;
  warn(kLegacy);
}

void BalloonDevice::stop_ring(unsigned index) {
  if (index >= rings_.size() || !rings_[index].role) return;
  RingState& ring = rings_[index];
  take_back();
  const std::uint16_t position = path_.stop(*ring.role);
  if (*ring.role == wire::Role::kInflate) resident_then_ = gmem::resident_bytes(*path_.memory());
  ring.role.reset();
  ring.stopped = position;
  // librte_vhost does not follow an external poller's indexes, and it is asked for them.
  static_cast<void>(
      rte_vhost_set_vring_base(*vid_, static_cast<std::uint16_t>(index), position, position));
  hand_over();
}

/// What is there is no ring any more, or not the one that it was, and nobody stopped it: it is left
/// alone until it is kicked anew, which comes last when a ring is set up. librte_vhost calls it
/// ready meanwhile, and again with every SET_VRING_CALL.
void BalloonDevice::end_ring(unsigned index) {
  if (index >= rings_.size() || !rings_[index].ready) return;
  stop_ring(index);
  rings_[index].ready = false;
  rings_[index].suspended = false;
  rings_[index].over = true;
}

void BalloonDevice::end_rings() {
  for (unsigned index = 0; index < rings_.size(); ++index) end_ring(index);
}

void BalloonDevice::suspend(unsigned index) {
  if (index >= rings_.size() || !rings_[index].role) return;
  stop_ring(index);
  rings_[index].suspended = true;
}

void BalloonDevice::suspend_all() {
  for (unsigned index = 0; index < rings_.size(); ++index) suspend(index);
  take_back();
}

/// Rings go on where librte_vhost still has them ready; the others it announces when they are. So
/// do those that waited for decide(), which a new memory table may have answered.
void BalloonDevice::resume_suspended() {
  for (unsigned index = 0; index < rings_.size(); ++index) {
    if (!rings_[index].suspended) continue;
    if (rings_[index].ready) start_ring(index);
    rings_[index].suspended = false;
  }
  start_waiting();
  hand_over();
}

}  // namespace vballoon::vhost
