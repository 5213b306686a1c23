// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/change.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "vhost/callbacks.hpp"
#include "vhost/closer.hpp"
#include "vhost/driver.hpp"
#include "vhost/libc_calls.hpp"
#include "vhost/socket_path.hpp"
#include "vm/device_name.hpp"

namespace vballoon::vhost {
namespace {

/// Whether the path still has the file that the listener made.
bool in_place(const Listener& listener, gid_t* group) {
  struct stat file {};
  if (::lstat(listener.file().path().c_str(), &file) != 0) return false;
  *group = file.st_gid;
  return file.st_dev == listener.file().device() && file.st_ino == listener.file().inode();
}

tl::unexpected<Status> taken(const DeviceSpec& spec, const std::string& owner) {
  return fail(Code::kAlreadyExists,
              fmt::format("socket {} belongs to device '{}'", spec.socket, owner));
}

}  // namespace

void take_down(Member& member, bool hands_on) {
  const CloseElsewhere what_the_vmm_gave;
  const DeviceSpec& spec = member.spec();
  if (member.gate != nullptr) member.gate->bar(*member.listener);
  // Rings stop while librte_vhost still has the memory mapped.
  const bool stays = member.device->close(hands_on);
  if (stays && member.listener) member.listener->hand_on();
  // This frees a client's connection without any callback. A connection through a gate ends by
  // itself.
  if (spec.client) rte_vhost_driver_unregister(spec.socket.c_str());
  unbind(*member.device);
}

Change::~Change() {
  if (committed_) return;
  for (Incoming& incoming : incoming_) undo(incoming);
  for (Member* member : leaving_) member->leaves = false;
}

void Change::undo(Incoming& incoming) noexcept {
  if (incoming.registered) rte_vhost_driver_unregister(incoming.spec.socket.c_str());
  if (incoming.lender != nullptr) {
    static_cast<void>(incoming.lender->listener->share(incoming.lent_group));
    if (incoming.gate != nullptr && incoming.gate != incoming.lender->gate) {
      incoming.gate->forget(incoming.door());
    }
  } else if (incoming.listener && incoming.gate != nullptr) {
    incoming.gate->forget(*incoming.listener);
  }
  // An earlier daemon's is for the next one.
  if (incoming.adopted) incoming.listener->hand_on();
}

Result<void> Change::prepare(std::span<const std::string> remove, std::span<const DeviceSpec> add) {
  if (auto ok = mark_leaving(remove); !ok) return ok;
  if (auto ok = check_room(add); !ok) return ok;
  incoming_.reserve(add.size());
  for (const DeviceSpec& spec : add) {
    const std::string canonical = canonical_path(spec.socket);
    if (auto ok = check(spec, canonical); !ok) return ok;
    incoming_.emplace_back(spec, canonical);
    if (auto ok = prepare_one(incoming_.back()); !ok) return ok;
  }
  return {};
}

Result<void> Change::mark_leaving(std::span<const std::string> remove) {
  for (const std::string& name : remove) {
    Member* const member = roster_.find(name);
    if (member == nullptr) return roster_.unknown(name);
    if (std::exchange(member->leaves, true)) continue;
    leaving_.push_back(member);
  }
  return {};
}

Result<void> Change::check_room(std::span<const DeviceSpec> add) const {
  const auto come = std::count_if(add.begin(), add.end(), [](auto& spec) { return spec.client; });
  const auto go = std::count_if(leaving_.begin(), leaving_.end(),
                                [](const Member* member) { return member->spec().client; });
  const auto clients = roster_.clients() + static_cast<unsigned>(come) - static_cast<unsigned>(go);
  const auto all = static_cast<unsigned>(roster_.members().size() - leaving_.size() + add.size());
  if (add.empty()) return {};
  return Room::check(all - clients, clients);
}

/// @pre incoming_ has the devices that were checked before.
Result<void> Change::check(const DeviceSpec& spec, const std::string& canonical) const {
  if (auto ok = vm::check_name(spec.name); !ok) return ok;
  if (auto ok = check_socket_path(spec.socket); !ok) return ok;
  const auto exists = [&spec] {
    return fail(Code::kAlreadyExists, fmt::format("a device named '{}' exists", spec.name));
  };
  if (const Member* same = roster_.find(spec.name); same && !same->leaves) return exists();
  if (const Member* same = roster_.at_socket(spec.socket, canonical); same && !same->leaves) {
    return taken(spec, same->spec().name);
  }
  for (const Incoming& other : incoming_) {
    if (other.spec.name == spec.name) return exists();
    if (other.canonical == canonical) return taken(spec, other.spec.name);
  }
  return {};
}

Result<void> Change::prepare_one(Incoming& incoming) {
  const DeviceSpec& spec = incoming.spec;
  if (!spec.client) return open_door(incoming);
  if (spec.socket.starts_with(Gate::kNames)) {
    return fail(Code::kInvalidArgument, fmt::format("no socket can be at {}", spec.socket));
  }
  if (leaves_from(spec)) return {};
  auto ok = register_driver(spec.socket, RTE_VHOST_USER_CLIENT, spec.offered());
  incoming.registered = ok.has_value();
  return ok;
}

/// Whether a leaving client has this path: librte_vhost cannot register one path twice.
bool Change::leaves_from(const DeviceSpec& spec) const {
  return std::any_of(leaving_.begin(), leaving_.end(), [&](const Member* member) {
    return member->spec().client && member->spec().socket == spec.socket;
  });
}

Result<void> Change::open_door(Incoming& incoming) {
  auto gate = gate_for(incoming.spec);
  if (!gate) return tl::unexpected(gate.error());
  if (auto ok = borrow_door(incoming); !ok) return ok;
  if (incoming.lender == nullptr) {
    auto listener = listen(incoming.spec, &incoming.adopted);
    if (!listener) return tl::unexpected(listener.error());
    incoming.listener = std::make_unique<Listener>(*std::move(listener));
  }
  auto watched = (*gate)->watch(incoming.door());
  if (watched) incoming.gate = *gate;
  return watched;
}

/// A VMM that knocked while there was no daemon waits at the socket that the earlier one left.
Result<Listener> Change::listen(const DeviceSpec& spec, bool* adopted) const {
  auto left = left_ == nullptr ? std::nullopt : left_->take(spec.socket);
  if (left) {
    auto listener = Listener::adopt(spec.socket, *std::move(left), spec.socket_group);
    *adopted = listener.has_value();
    if (listener) return listener;
    log::warn("{}: VMMs that wait for it are turned away: {}", spec.name, listener.error().message);
  }
  return Listener::open(spec.socket, spec.socket_group);
}

/// Borrows the listener of a leaving device with the same path. VMMs that knock there meanwhile
/// wait.
Result<void> Change::borrow_door(Incoming& incoming) {
  Member* const owner = roster_.at_socket(incoming.spec.socket, incoming.canonical);
  if (owner == nullptr || !owner->listener) return {};
  if (!in_place(*owner->listener, &incoming.lent_group)) return {};
  if (owner->spec().socket_group != incoming.spec.socket_group) {
    const gid_t group = incoming.spec.socket_group.value_or(::getegid());
    if (auto shared = owner->listener->share(group); !shared) return shared;
  }
  incoming.lender = owner;
  return {};
}

Result<Gate*> Change::gate_for(const DeviceSpec& spec) {
  std::unique_ptr<Gate>& gate = gates_[spec.offered().bits()];
  if (gate == nullptr) {
    auto opened = Gate::open(spec.offered(), room_);
    if (!opened) return tl::unexpected(opened.error());
    gate = *std::move(opened);
  }
  return gate.get();
}

Result<void> Change::commit(const Make& make) {
  committed_ = true;
  for (Member* member : leaving_) {
    take_down(*member, false);
    member->device->remove_state();
  }
  Result<void> alone;
  for (Incoming& incoming : incoming_) {
    auto ok = bring_in(incoming, make);
    if (ok) continue;
    if (leaving_.empty() && incoming_.size() == 1) {
      alone = std::move(ok);
    } else {
      log::error("{}: it is not there any more: {}", incoming.spec.name, ok.error().message);
    }
  }
  for (Member* member : leaving_) {
    if (member->listener) member->gate->forget(*member->listener);
  }
  roster_.drop_leaving();
  room_.keep_for_clients(roster_.clients());
  return alone;
}

Result<void> Change::bring_in(Incoming& incoming, const Make& make) {
  const DeviceSpec& spec = incoming.spec;
  if (spec.client && !incoming.registered) {
    if (auto ok = register_driver(spec.socket, RTE_VHOST_USER_CLIENT, spec.offered()); !ok)
      return ok;
  }
  auto member = std::make_unique<Member>();
  Made made = make(spec, spec.client ? nullptr : &incoming.door());
  member->device = std::move(made.device);
  member->canonical = std::move(incoming.canonical);
  if (spec.client) {
    bind_path(spec.socket, member->device);
    const ConnectedTo instead(made.connection.get());
    if (rte_vhost_driver_start(spec.socket.c_str()) != 0) {
      take_down(*member, false);
      return fail(Code::kHost,
                  fmt::format("cannot connect to the vhost-user socket {}; see the log "
                              "for librte_vhost's reason",
                              spec.socket));
    }
    roster_.add(std::move(member));
    return {};
  }
  member->gate = incoming.gate;
  if (incoming.lender != nullptr) {
    Member& lender = *incoming.lender;
    if (lender.gate != member->gate) lender.gate->forget(*lender.listener);
    member->listener = std::move(lender.listener);
  } else {
    member->listener = std::move(incoming.listener);
  }
  const Member& there = roster_.add(std::move(member));
  if (made.connection.valid()) {
    if (auto ok = there.gate->bring(std::move(made.connection), there.device); !ok) return ok;
  }
  there.gate->admit(*there.listener, there.device);
  return {};
}

}  // namespace vballoon::vhost
