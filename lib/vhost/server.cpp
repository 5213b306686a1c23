// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/server.hpp"

#include <mutex>

#include "base/check.hpp"
#include "vhost/balloon_device.hpp"
#include "vhost/change.hpp"
#include "vhost/closer.hpp"
#include "vhost/fd_reserve.hpp"
#include "vhost/memory_claims.hpp"
#include "vhost/room.hpp"
#include "vhost/roster.hpp"
#include "vhost/seats.hpp"

namespace vballoon::vhost {
namespace {

constexpr unsigned kTicksToHurry = 50;  // of 20 ms

}  // namespace

class Server::Impl {
 public:
  Impl(const std::vector<PollSeat>& pollers, const ReclaimSettings& reclaim,
       reclaim::Discarder& discarder, const vm::Folder* folder)
      : seats_(pollers, reclaim.worker_nodes),
        limits_(reclaim.limits),
        claims_(reclaim.claims),
        discarder_(discarder),
        folder_(folder) {
    VB_CHECK(!pollers.empty());
    FdReserve::get().fill();
  }

  Result<void> change(std::span<const std::string> remove, std::span<const DeviceSpec> add) {
    const std::scoped_lock lock(mutex_);
    Change change(roster_, gates_, room_);
    if (auto ok = change.prepare(remove, add); !ok) return ok;
    return change.commit([this](const DeviceSpec& spec) {
      return std::make_shared<BalloonDevice>(spec, seats_, claims_, discarder_, limits_, folder_);
    });
  }

  void stop() {
    const std::scoped_lock lock(mutex_);
    for (const auto& member : roster_.members()) take_down(*member);
    // Before the listening sockets, which the gates have in their sets.
    gates_.clear();
    roster_.clear();
  }

  void tick() {
    const std::scoped_lock lock(mutex_);
    FdReserve::get().fill_again();
    if (++ticks_ % kTicksToHurry == 0) hurry_closer();
    for (const auto& member : roster_.members()) member->device->tick();
    for (const auto& [features, gate] : gates_) gate->try_again();
  }

  [[nodiscard]] std::vector<vm::DeviceReport> list() const {
    const std::scoped_lock lock(mutex_);
    std::vector<vm::DeviceReport> reports;
    reports.reserve(roster_.members().size());
    for (const auto& member : roster_.members()) reports.push_back(member->device->report());
    return reports;
  }

  template <typename Action>
  void each(Action action) const {
    const std::scoped_lock lock(mutex_);
    for (const auto& member : roster_.members()) action(*member->device);
  }

  template <typename Action>
  auto with(std::string_view name, Action action) const
      -> decltype(action(std::declval<BalloonDevice&>())) {
    const std::scoped_lock lock(mutex_);
    const Member* const member = roster_.find(name);
    if (member == nullptr) return roster_.unknown(name);
    return action(*member->device);
  }

 private:
  mutable std::mutex mutex_;
  Seats seats_;
  const reclaim::ReclaimLimits limits_;
  MemoryClaims claims_;
  reclaim::Discarder& discarder_;
  const vm::Folder* const folder_;
  Room room_;
  Gates gates_;
  Roster roster_;
  unsigned ticks_ = 0;
};

Server::Server(const std::vector<PollSeat>& pollers, const ReclaimSettings& reclaim,
               reclaim::Discarder& discarder, const vm::Folder* folder)
    : impl_(std::make_unique<Impl>(pollers, reclaim, discarder, folder)) {}
Server::~Server() {
  stop();
}

Result<void> Server::add(const DeviceSpec& spec) {
  return impl_->change({}, {&spec, 1});
}
Result<void> Server::remove(std::string_view name) {
  const std::string one(name);
  return impl_->change({&one, 1}, {});
}
Result<void> Server::change(std::span<const std::string> remove, std::span<const DeviceSpec> add) {
  return impl_->change(remove, add);
}
std::vector<vm::DeviceReport> Server::list() const {
  return impl_->list();
}
void Server::tick() {
  impl_->tick();
}
void Server::stop() {
  impl_->stop();
}

Result<vm::DeviceReport> Server::show(std::string_view name) const {
  return impl_->with(
      name, [](BalloonDevice& device) -> Result<vm::DeviceReport> { return device.report(); });
}

Result<std::uint64_t> Server::set_target(std::string_view name, const vm::Target& target) {
  return impl_->with(name, [&target](BalloonDevice& device) { return device.set_target(target); });
}

Result<vm::Kept> Server::kept(std::string_view name) const {
  return impl_->with(name,
                     [](const BalloonDevice& device) -> Result<vm::Kept> { return device.kept(); });
}

void Server::each_pressure(const VisitPressure& visit) const {
  impl_->each([&visit](const BalloonDevice& device) {
    visit(device.spec().name, device.pressure_messages());
  });
}

Result<void> Server::request_stats(std::string_view name) {
  return impl_->with(name, [](BalloonDevice& device) { return device.request_stats(); });
}

Result<void> Server::move(std::string_view name, unsigned lcore) {
  return impl_->with(name, [lcore](BalloonDevice& device) { return device.move_to(lcore); });
}

Result<void> Server::inhibit(std::string_view name, bool on) {
  return impl_->with(name, [on](BalloonDevice& device) -> Result<void> {
    device.inhibit(on);
    return {};
  });
}

Result<std::optional<vm::AutomaticWord>> Server::automatic(std::string_view name) const {
  using Word = std::optional<vm::AutomaticWord>;
  return impl_->with(
      name, [](const BalloonDevice& device) -> Result<Word> { return device.automatic(); });
}

Result<void> Server::keep_automatic(std::string_view name, vm::AutomaticWord word) {
  return impl_->with(name, [word](BalloonDevice& device) -> Result<void> {
    device.keep_automatic(word);
    return {};
  });
}

Result<void> Server::prefault(std::string_view name, bool on) {
  return impl_->with(name, [on](BalloonDevice& device) { return device.prefault(on); });
}

Result<void> Server::reporting(std::string_view name, bool on) {
  return impl_->with(name, [on](BalloonDevice& device) -> Result<void> {
    device.reporting(on);
    return {};
  });
}

Result<std::uint32_t> Server::hint(std::string_view name, wire::HintAction action) {
  return impl_->with(name, [action](BalloonDevice& device) { return device.hint(action); });
}

}  // namespace vballoon::vhost
