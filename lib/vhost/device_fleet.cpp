// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/device_fleet.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/check.hpp"
#include "base/clock.hpp"
#include "base/in_hand.hpp"
#include "base/log.hpp"
#include "base/owner.hpp"
#include "keep/crash_book.hpp"
#include "vhost/balloon_device.hpp"
#include "vhost/change.hpp"
#include "vhost/closer.hpp"
#include "vhost/event_thread.hpp"
#include "vhost/fd_reserve.hpp"
#include "vhost/memory_claims.hpp"
#include "vhost/room.hpp"
#include "vhost/roster.hpp"
#include "vhost/seats.hpp"
#include "vhost/stored_bag.hpp"

namespace vballoon::vhost {
namespace {

constexpr unsigned kTicksToHurry = 50;  // 1 s, at a tick every 20 ms

/// For librte_vhost to hear all that VMMs said to the daemon before.
constexpr std::chrono::seconds kRestore{5};

/// A ring that was kicked may have been served, and then its place is in that file.
bool has_its_state(const Inheritance& inheritance, const vm::Folder& folder) {
  const Record& record = inheritance.record;
  const bool kicked = std::any_of(record.said.begin(), record.said.end(), [](const auto& message) {
    return message.request == wire::Request::kSetVringKick;
  });
  return vm::DeviceState::choose_file(folder, record.device, record.state_inode) || !kicked;
}

}  // namespace

struct DeviceFleet::Parts {
  Parts(FleetSettings all, reclaim::Discarder& discards, const vm::Folder* keeps)
      : settings(std::move(all)),
        seats(settings.pollers, settings.worker_nodes),
        claims(settings.claims),
        discarder(discards),
        folder(keeps) {
    owner.take();
    if (settings.store != nullptr && settings.store->keeps() && folder != nullptr) {
      bags.emplace(*settings.store);
    }
  }

  Change::Made make(const DeviceSpec& spec, const Listener* door);
  Change::Made make_kept(const DeviceSpec& spec, const Listener* door);
  [[nodiscard]] LeftDoors* left_doors() noexcept { return bags ? &bags->doors() : nullptr; }
  [[nodiscard]] std::shared_ptr<BalloonDevice> make_device(const DeviceSpec& spec);
  void open_crash_book(keep::Inherited& inherited);

  const FleetSettings settings;
  Seats seats;
  MemoryClaims claims;
  reclaim::Discarder& discarder;
  const vm::Folder* const folder;
  std::optional<keep::CrashBook> crashes;  // nothing: nobody keeps it
  Room room;
  Gates gates;
  Roster roster;
  std::optional<Bags> bags;  // nothing: nobody keeps connections
  unsigned ticks = 0;
  Owner owner;  // the thread that made the fleet
};

std::shared_ptr<BalloonDevice> DeviceFleet::Parts::make_device(const DeviceSpec& spec) {
  auto device =
      std::make_shared<BalloonDevice>(spec, seats, claims, discarder, settings.limits, folder);
  if (crashes) {
    if (keep::CrashPage* const page = crashes->page_of(spec.name))
      device->answer_for_crashes(*page);
  }
  return device;
}

/// Not to have it is no reason not to start: all VMs are served then, as if nothing had been.
void DeviceFleet::Parts::open_crash_book(keep::Inherited& inherited) {
  auto book = keep::CrashBook::open(inherited, *settings.store);
  if (!book)
    return log::warn("a VM that crashes the daemon is not set aside: {}", book.error().message);
  crashes.emplace(*std::move(book));
}

Change::Made DeviceFleet::Parts::make(const DeviceSpec& spec, const Listener* door) {
  if (bags) return make_kept(spec, door);
  return {make_device(spec)};
}

Change::Made DeviceFleet::Parts::make_kept(const DeviceSpec& spec, const Listener* door) {
  auto inheritance = bags->take(spec.name);
  // Before the device reads its file.
  const bool connected = inheritance && inheritance->record.connected;
  const bool whole = !connected || has_its_state(*inheritance, *folder);
  Change::Made made{make_device(spec)};
  const InHand hand(made.device.get());
  if (connected && whole) {
    inheritance->last_sign_ms = settings.last_sign_ms;
    auto connection = made.device->take_up(*std::move(inheritance), door);
    if (connection) {
      made.connection = *std::move(connection);
    } else {
      log::warn("{}: its VMM's connection ends: {}", spec.name, connection.error().message);
    }
    return made;
  }
  if (!whole) {
    log::warn("{}: its VMM's connection ends: what was kept of its balloon is gone", spec.name);
  }
  std::string lines = inheritance ? inheritance->record.settings : std::string();
  auto bag =
      inheritance ? Result<std::unique_ptr<StoredBag>>(std::move(inheritance->bag)) : bags->make();
  if (bag) {
    made.device->keep_in(*std::move(bag), std::move(lines), door);
  } else {
    log::warn("{}: its VMM's connection will not outlive the daemon: {}", spec.name,
              bag.error().message);
  }
  return made;
}

DeviceFleet::DeviceFleet(FleetSettings settings, reclaim::Discarder& discarder,
                         const vm::Folder* folder)
    : parts_(std::make_unique<Parts>(std::move(settings), discarder, folder)) {
  VB_CHECK(!parts_->settings.pollers.empty());
  FdReserve::get().fill();
}

DeviceFleet::~DeviceFleet() {
  stop();
}

std::span<vm::Vm* const> DeviceFleet::vms() const {
  VB_OWNED(parts_->owner);
  return parts_->roster.vms();
}

Result<vm::Vm*> DeviceFleet::find(std::string_view name) const {
  VB_OWNED(parts_->owner);
  const Member* const member = parts_->roster.find(name);
  if (member == nullptr) return parts_->roster.unknown(name);
  return member->device.get();
}

Result<void> DeviceFleet::change(std::span<const std::string> remove,
                                 std::span<const vm::Settings> add) {
  VB_OWNED(parts_->owner);
  std::vector<DeviceSpec> specs;
  for (const vm::Settings& settings : add) {
    auto spec = DeviceSpec::of(settings, parts_->settings.socket_group);
    if (!spec) return tl::unexpected(spec.error());
    specs.push_back(*std::move(spec));
  }
  Change change(parts_->roster, parts_->gates, parts_->room, parts_->left_doors());
  if (auto ok = change.prepare(remove, specs); !ok) return ok;
  return change.commit([parts = parts_.get()](const DeviceSpec& spec, const Listener* door) {
    return parts->make(spec, door);
  });
}

Result<void> DeviceFleet::inherit(keep::Inherited& inherited) {
  if (parts_->settings.store != nullptr && parts_->settings.store->keeps()) {
    parts_->open_crash_book(inherited);
  }
  if (!parts_->bags) {
    if (parts_->settings.store != nullptr) parts_->settings.store->discard(std::move(inherited));
    return {};
  }
  hurry_event_thread(true);
  return parts_->bags->adopt(inherited);
}

void DeviceFleet::finish_inheriting() {
  if (parts_->crashes) {
    parts_->crashes->keep_only(
        [this](std::string_view name) { return parts_->roster.find(name) != nullptr; });
  }
  if (!parts_->bags) return;
  const auto end = std::chrono::steady_clock::now() + kRestore;
  for (const auto& member : parts_->roster.members()) {
    while (member->device->restoring() && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  hurry_event_thread(false);
  parts_->bags->forget_rest();
}

std::vector<lcore::LcoreReport> DeviceFleet::lcores() const {
  std::vector<lcore::LcoreReport> lcores = parts_->settings.lcores();
  for (const vm::Vm* vm : vms()) {
    const vm::VmFigures figures = vm->figures();
    for (lcore::LcoreReport& lcore : lcores) {
      const bool serves = lcore.role == "poll" && lcore.lcore == figures.lcore && !figures.alone;
      if (serves) ++lcore.devices;
    }
  }
  return lcores;
}

std::vector<vm::KeptSettings> DeviceFleet::left() const {
  if (!parts_->bags) return {};
  return parts_->bags->settings();
}

void DeviceFleet::keep_settings(const vm::KeptSettings& settings) {
  VB_OWNED(parts_->owner);
  const Member* const member = parts_->roster.find(settings.added.name);
  VB_CHECK(member != nullptr);
  member->device->keep_settings(vm::lines_of(settings));
}

void DeviceFleet::tick() {
  VB_OWNED(parts_->owner);
  FdReserve::get().fill_again();
  if (++parts_->ticks % kTicksToHurry == 0) hurry_closer();
  const std::uint64_t now = now_ms();
  for (const auto& member : parts_->roster.members()) member->device->tick(now);
  for (const auto& [features, gate] : parts_->gates) gate->try_again();
}

void DeviceFleet::stop(bool hands_on) {
  VB_OWNED(parts_->owner);
  const keep::Store* const store = parts_->settings.store;
  const bool kept = store != nullptr && store->keeps();
  for (const auto& member : parts_->roster.members()) take_down(*member, hands_on && kept);
  // Before the listening sockets, because the gates have these in their sets.
  parts_->gates.clear();
  parts_->roster.clear();
}

}  // namespace vballoon::vhost
