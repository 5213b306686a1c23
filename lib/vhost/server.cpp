// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "balloon_device.hpp"
#include "base/check.hpp"
#include "base/socket_file.hpp"
#include "callbacks.hpp"
#include "closer.hpp"
#include "fd_reserve.hpp"
#include "seats.hpp"
#include "socket_path.hpp"

namespace vballoon::vhost {
namespace {

// vhost-user protocol feature bits. Not STATUS: librte_vhost would wait for a DRIVER_OK that QEMU's
// generic device never sends.
constexpr std::uint64_t kProtocolFeatures = (1ULL << 0)     // MQ
                                            | (1ULL << 1)   // LOG_SHMFD
                                            | (1ULL << 3)   // REPLY_ACK
                                            | (1ULL << 5)   // BACKEND_REQ
                                            | (1ULL << 9)   // CONFIG
                                            | (1ULL << 10)  // BACKEND_SEND_FD
                                            | (1ULL << 12); // INFLIGHT_SHMFD

constexpr unsigned kTicksToHurry = 50;  // of 20 ms

Result<void> register_socket(const DeviceSpec& spec) {
  const char* path = spec.socket.c_str();
  const MadePrivate until_shared;  // librte_vhost binds and listens at once
  const auto no = [&spec](const char* what) {
    return fail(Code::kHost, fmt::format("cannot {} the vhost-user socket {}; see the log for "
                                         "librte_vhost's reason", what, spec.socket));
  };
  if (rte_vhost_driver_register(path, spec.client ? RTE_VHOST_USER_CLIENT : 0) != 0) {
    return no("register");
  }
  const bool ready = rte_vhost_driver_set_features(path, spec.offered().bits()) == 0 &&
                     rte_vhost_driver_set_protocol_features(path, kProtocolFeatures) == 0 &&
                     rte_vhost_driver_callback_register(path, &device_ops()) == 0 &&
                     rte_vhost_driver_start(path) == 0;
  if (!ready) {
    rte_vhost_driver_unregister(path);
    return no("listen on");
  }
  if (spec.client) return {};
  note_bound(spec.socket);
  auto shared = share_socket(spec.socket, spec.group);
  if (!shared) rte_vhost_driver_unregister(path);
  return shared;
}

}  // namespace

class Server::Impl {
 public:
  Impl(const std::vector<PollSeat>& pollers, const ReclaimSettings& reclaim,
       reclaim::Discarder& discarder, const state::Folder* folder)
      : seats_(pollers, reclaim.worker_nodes),
        limits_(reclaim.limits),
        discarder_(discarder),
        folder_(folder) {
    VB_CHECK(!pollers.empty());
    FdReserve::get().fill();
  }

  Result<void> add(const DeviceSpec& spec) {
    const std::scoped_lock lock(mutex_);
    if (auto ok = check(spec); !ok) return ok;
    auto device = std::make_unique<BalloonDevice>(spec, seats_, discarder_, limits_, folder_);
    bind_path(spec.socket, *device);
    if (auto ok = register_socket(spec); !ok) {
      device->close();
      unbind_path(spec.socket, *device);
      return ok;
    }
    devices_.push_back(std::move(device));
    return {};
  }

  Result<void> remove(std::string_view name) {
    const std::scoped_lock lock(mutex_);
    const auto at = find(name);
    if (at == devices_.end()) return unknown(name);
    take_down(**at);
    (*at)->remove_state();
    devices_.erase(at);
    return {};
  }

  void stop() {
    const std::scoped_lock lock(mutex_);
    for (const auto& device : devices_) take_down(*device);
    devices_.clear();
  }

  void tick() {
    const std::scoped_lock lock(mutex_);
    FdReserve::get().fill_again();
    if (++ticks_ % kTicksToHurry == 0) hurry_closer();
    for (const auto& device : devices_) device->tick();
  }

  [[nodiscard]] std::vector<device::DeviceReport> list() const {
    const std::scoped_lock lock(mutex_);
    std::vector<device::DeviceReport> reports;
    reports.reserve(devices_.size());
    for (const auto& device : devices_) reports.push_back(device->report());
    return reports;
  }

  template <typename Action>
  void each(Action action) const {
    const std::scoped_lock lock(mutex_);
    for (const auto& device : devices_) action(*device);
  }

  template <typename Action>
  auto with(std::string_view name, Action action) const -> decltype(action(std::declval<BalloonDevice&>())) {
    const std::scoped_lock lock(mutex_);
    const auto at = std::find_if(devices_.begin(), devices_.end(), named(name));
    if (at == devices_.end()) return unknown(name);
    return action(**at);
  }

 private:
  using Devices = std::vector<std::unique_ptr<BalloonDevice>>;

  static auto named(std::string_view name) {
    return [name](const auto& device) { return device->spec().name == name; };
  }
  Devices::iterator find(std::string_view name) {
    return std::find_if(devices_.begin(), devices_.end(), named(name));
  }

  [[nodiscard]] tl::unexpected<Status> unknown(std::string_view name) const {
    std::string known;
    for (const auto& device : devices_) {
      known += (known.empty() ? "" : ", ") + device->spec().name;
    }
    return fail(Code::kNotFound, fmt::format("no device is named '{}'; there {}", name,
                                             known.empty() ? "are none" : "is: " + known));
  }

  Result<void> check(const DeviceSpec& spec) {
    if (auto ok = check_name(spec.name); !ok) return ok;
    if (find(spec.name) != devices_.end()) {
      return fail(Code::kAlreadyExists, fmt::format("a device named '{}' exists", spec.name));
    }
    for (const auto& device : devices_) {
      if (!same_path(device->spec().socket, spec.socket)) continue;
      return fail(Code::kAlreadyExists, fmt::format("socket {} belongs to device '{}'", spec.socket,
                                                    device->spec().name));
    }
    return spec.client ? check_socket_path(spec.socket) : clear_socket_path(spec.socket);
  }

  /// close() stops the rings while librte_vhost still has the memory mapped: unregistering frees a
  /// connection without any callback.
  static void take_down(BalloonDevice& device) {
    const CloseElsewhere what_the_vmm_gave;
    device.close();
    rte_vhost_driver_unregister(device.spec().socket.c_str());
    unbind_path(device.spec().socket, device);
  }

  mutable std::mutex mutex_;
  Seats seats_;
  const reclaim::ReclaimLimits limits_;
  reclaim::Discarder& discarder_;
  const state::Folder* const folder_;
  Devices devices_;
  unsigned ticks_ = 0;
};

Server::Server(const std::vector<PollSeat>& pollers, const ReclaimSettings& reclaim,
               reclaim::Discarder& discarder, const state::Folder* folder)
    : impl_(std::make_unique<Impl>(pollers, reclaim, discarder, folder)) {}
Server::~Server() { stop(); }

Result<void> Server::add(const DeviceSpec& spec) { return impl_->add(spec); }
Result<void> Server::remove(std::string_view name) { return impl_->remove(name); }
std::vector<device::DeviceReport> Server::list() const { return impl_->list(); }
void Server::tick() { impl_->tick(); }
void Server::stop() { impl_->stop(); }

Result<device::DeviceReport> Server::show(std::string_view name) const {
  return impl_->with(name, [](BalloonDevice& device) -> Result<device::DeviceReport> {
    return device.report();
  });
}

Result<std::uint64_t> Server::set_target(std::string_view name, std::uint64_t bytes) {
  return impl_->with(name, [bytes](BalloonDevice& device) { return device.set_target(bytes); });
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

Result<std::optional<state::AutomaticWord>> Server::automatic(std::string_view name) const {
  using Word = std::optional<state::AutomaticWord>;
  return impl_->with(name, [](const BalloonDevice& device) -> Result<Word> {
    return device.automatic();
  });
}

Result<void> Server::keep_automatic(std::string_view name, state::AutomaticWord word) {
  return impl_->with(name, [word](BalloonDevice& device) -> Result<void> {
    device.keep_automatic(word);
    return {};
  });
}

Result<void> Server::prefault(std::string_view name, bool on) {
  return impl_->with(name, [on](BalloonDevice& device) -> Result<void> {
    device.prefault(on);
    return {};
  });
}

Result<void> Server::reporting(std::string_view name, bool on) {
  return impl_->with(name, [on](BalloonDevice& device) -> Result<void> {
    device.reporting(on);
    return {};
  });
}

Result<std::uint32_t> Server::hint(std::string_view name, balloon::HintAction action) {
  return impl_->with(name, [action](BalloonDevice& device) { return device.hint(action); });
}

}  // namespace vballoon::vhost
