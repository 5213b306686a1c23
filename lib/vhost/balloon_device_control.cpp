// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_control.cpp - the functions of vm::Vm, which the control thread calls.
#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <utility>

#include "vhost/balloon_device.hpp"
#include "vhost/device_figures.hpp"

namespace vballoon::vhost {
namespace {

using wire::HintAction;
using wire::Role;

/// How long the control thread waits for the figures of a device that the event thread holds. The
/// last figures serve as well.
constexpr std::chrono::milliseconds kGlance{20};

}  // namespace

/// @return the lock; not owned where the event thread has held it for all of this time. The event
///         thread then waits for a thread that stands still in this VM's memory. The control thread
///         serves all VMs, and does not wait with it.
std::unique_lock<std::mutex> BalloonDevice::knock(std::chrono::milliseconds patience) const {
  std::unique_lock lock(mutex_, std::try_to_lock);
  for (auto waited = patience; !lock.owns_lock() && waited.count() > 0; --waited) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    static_cast<void>(lock.try_lock());
  }
  return lock;
}

tl::unexpected<Status> BalloonDevice::busy() const {
  return fail(
      Code::kUnavailable,
      fmt::format("'{}' cannot be asked now: a message of its VMM waits for its memory, on whose "
                  "file that VMM works; try again",
                  parts_.spec.name));
}

vm::VmFigures BalloonDevice::figures() const {
  if (const auto lock = knock(kGlance)) {
    vm::VmFigures figures = figures_of(parts_);
    static_cast<vm::VmFigures&>(last_report_) = figures;
    return figures;
  }
  note_busy();
  return last_report_;
}

vm::DeviceReport BalloonDevice::report() const {
  if (const auto lock = knock(kGlance)) {
    last_report_ = report_of(parts_);
  } else {
    note_busy();
  }
  return last_report_;
}

void BalloonDevice::note_busy() const {
  last_report_.slow = true;
  last_report_.reason = kSlow;
}

Result<vm::TargetSet> BalloonDevice::set_target(const vm::Target& target) {
  const auto lock = knock();
  if (!lock) return busy();
  auto set = parts_.target.set(target);
  if (!set) return set;
  parts_.balloon.provide_tables();
  parts_.prefault.settle(parts_.slot.connection().process());
  // Also where the target is the same: a guest that took pages back is asked for them again.
  parts_.target.tell();
  parts_.notify_if_due();
  return set;
}

vm::Kept BalloonDevice::kept() const {
  const std::scoped_lock lock(mutex_);
  const vm::DeviceState& state = parts_.balloon.state();
  return {state.kept(), state.why_not()};
}

Result<void> BalloonDevice::request_stats() {
  const auto lock = knock();
  if (!lock) return busy();
  auto ok = check_asks_stats();
  if (ok) parts_.stats.request();
  return ok;
}

Result<void> BalloonDevice::check_asks_stats() const {
  const auto no = [](std::string why) { return fail(Code::kUnavailable, std::move(why)); };
  const std::string& name = parts_.spec.name;
  const datapath::DataPath& path = parts_.balloon.path();
  if (state_of(parts_) == vm::State::kStopped) {
    return no(
        fmt::format("'{}' cannot be asked: its balloon driver's rings are stopped, because its "
                    "VM is paused or suspended, or its guest was reset or unloaded the driver",
                    name));
  }
  if (!parts_.slot.taken() || !path.running(wire::entrance(parts_.spec.dialect()).role)) {
    return no(fmt::format("the guest of '{}' has not started its balloon driver", name));
  }
  if (path.running(parts_.stats.role())) return {};
  return no(
      fmt::format("the balloon driver of '{}' has no statistics queue (feature STATS_VQ was "
                  "not accepted)",
                  name));
}

void BalloonDevice::inhibit(bool on) {
  const std::scoped_lock lock(mutex_);
  parts_.balloon.path().inhibit(on);
  parts_.balloon.state().set_inhibited(on);
  parts_.balloon.note_kept();
  // The data path leaves its lcore only when no batch is on its way.
  parts_.attachment.take_back();
  parts_.attachment.hand_over();
}

std::optional<vm::AutomaticWord> BalloonDevice::automatic() const {
  const std::scoped_lock lock(mutex_);
  return parts_.balloon.state().automatic();
}

void BalloonDevice::keep_automatic(vm::AutomaticWord word) {
  const std::scoped_lock lock(mutex_);
  parts_.balloon.state().set_automatic(word);
  parts_.balloon.note_kept();
}

Result<void> BalloonDevice::prefault(bool on) {
  parts_.prefault.set(on);
  const auto lock = knock();
  if (!lock) return busy();
  parts_.prefault.settle(parts_.slot.connection().process());
  const std::string& why = parts_.session.memory.no_prefault;
  if (why.empty()) return {};
  return fail(Code::kUnavailable,
              fmt::format("prefault has no effect for '{}': {}", parts_.spec.name, why));
}

void BalloonDevice::effort(std::uint64_t effort) {
  parts_.balloon.path().set_effort(static_cast<wire::large::Effort>(effort));
}

Result<std::uint32_t> BalloonDevice::hint(HintAction action) {
  const auto lock = knock();
  if (!lock) return busy();
  if (!parts_.balloon.path().running(Role::kHint)) {
    return fail(Code::kUnavailable,
                fmt::format("the guest of '{}' has no queue for hints: its balloon driver is not "
                            "started, or did not accept FREE_PAGE_HINT",
                            parts_.spec.name));
  }
  const std::uint32_t command = parts_.balloon.config().command_hints(action);
  parts_.target.notify();
  parts_.notify_if_due();
  return command;
}

Result<void> BalloonDevice::move_to(unsigned lcore) {
  const auto lock = knock();
  if (!lock) return busy();
  if (parts_.attachment.move_to(lcore)) return {};
  return fail(Code::kInvalidArgument,
              fmt::format("lcore {} does not poll; see `vballoonctl lcores`", lcore));
}

}  // namespace vballoon::vhost
