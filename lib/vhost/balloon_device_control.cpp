// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_control.cpp - what the control thread asks of a device.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "balloon_device.hpp"
#include "base/size_text.hpp"
#include "virtq/fault.hpp"

namespace vballoon::vhost {
namespace {

using balloon::Role;

std::uint64_t now_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

device::QueueReport report_queue(Role role, bool running, const device::QueueStatus& status) {
  device::QueueReport report;
  const auto fault = static_cast<virtq::QueueFault>(status.fault.get());
  report.index = static_cast<unsigned>(status.index.get());
  report.role = balloon::role_name(role);
  report.state = !running ? "stopped" : fault == virtq::QueueFault::kNone ? "running" : "broken";
  if (running) report.reason = virtq::describe(fault);
  report.size = static_cast<unsigned>(status.size.get());
  report.buffers = status.buffers.get();
  return report;
}

}  // namespace

Result<std::uint64_t> BalloonDevice::set_target(std::uint64_t bytes) {
  const std::scoped_lock lock(mutex_);
  const std::uint64_t guest = path_.counters().guest_bytes.get();
  if (!vid_ || guest == 0) {
    return fail(Code::kUnavailable,
                fmt::format("no VMM is connected to '{}'; start its VM with the vhost-user socket {}",
                            spec_.name, spec_.socket));
  }
  if (bytes > guest) {
    return fail(Code::kInvalidArgument,
                fmt::format("a balloon of {} does not fit into '{}', which has {} of memory",
                            format_size(bytes), spec_.name, format_size(guest)));
  }
  const std::uint64_t pages = std::min<std::uint64_t>(bytes_to_pages(bytes), UINT32_MAX);
  config_.set_num_pages(static_cast<std::uint32_t>(pages));
  notify_due_.store(true, std::memory_order_relaxed);
  notify_if_due();
  return pages_to_bytes(pages);
}

Result<void> BalloonDevice::request_stats() {
  const std::scoped_lock lock(mutex_);
  if (!vid_ || !path_.running(Role::kInflate)) {
    return fail(Code::kUnavailable, fmt::format("the guest of '{}' has not started its balloon driver",
                                                spec_.name));
  }
  if (!path_.running(Role::kStats)) {
    return fail(Code::kUnavailable,
                fmt::format("the balloon driver of '{}' has no statistics queue (feature STATS_VQ was "
                            "not accepted)", spec_.name));
  }
  path_.request_stats();
  return {};
}

void BalloonDevice::retry_notify() {
  if (!notify_due_.load(std::memory_order_relaxed)) return;
  const std::scoped_lock lock(mutex_);
  notify_if_due();
}

/// A VMM may only be told while the device runs: QEMU's generic device has no virtio device to ask
/// before, and crashes. A driver that starts later reads the target by itself.
void BalloonDevice::notify_if_due() {
  if (!notify_due_.load(std::memory_order_relaxed) || !path_.running(Role::kInflate)) return;
  if (channel_.notify_config_change() != BackendChannel::Sent::kLater) {
    notify_due_.store(false, std::memory_order_relaxed);
  }
}

device::State BalloonDevice::state() const {
  if (!vid_) return device::State::kWaiting;
  for (unsigned role = 0; role < balloon::kRoles; ++role) {
    if (path_.running(static_cast<Role>(role)) &&
        path_.status(static_cast<Role>(role)).fault.get() != 0) {
      return device::State::kBroken;
    }
  }
  const bool served = path_.running(Role::kInflate) && path_.running(Role::kDeflate);
  return served ? device::State::kRunning : device::State::kConnected;
}

device::DeviceReport BalloonDevice::report() const {
  const std::scoped_lock lock(mutex_);
  const device::DeviceCounters& counters = path_.counters();
  const reclaim::ReclaimCounters& reclaimed = path_.reclaim_counters();
  device::DeviceReport report;
  report.name = spec_.name;
  report.socket = spec_.socket;
  report.client = spec_.client;
  report.lcore = poller_.lcore();
  report.state = state();
  report.guest_bytes = counters.guest_bytes.get();
  report.target_bytes = pages_to_bytes(config_.num_pages());
  report.actual_bytes = pages_to_bytes(config_.actual());
  report.ballooned_bytes = pages_to_bytes(counters.ballooned_pages.get());
  report.discarded_bytes = reclaimed.inflated.bytes.get();
  report.reported_bytes = reclaimed.reported.bytes.get();
  report.stranded_bytes = pages_to_bytes(counters.stranded_pages.get());
  report.poison_value = config_.poison_value();
  report.offered = balloon::kOffered;
  report.acked = acked_;
  for (unsigned role = 0; role < balloon::kRoles; ++role) {
    const auto r = static_cast<Role>(role);
    report.queues.push_back(report_queue(r, path_.running(r), path_.status(r)));
  }
  report.counters = device::named_counts(counters);
  report.counters.push_back({"discard_calls", reclaimed.inflated.calls.get()});
  report.counters.push_back({"report_calls", reclaimed.reported.calls.get()});
  report.counters.push_back({"discard_failures", reclaimed.failed_calls.get()});
  report.counters.push_back({"retained_bytes", reclaimed.retained_bytes.get()});
  if (const device::StatsRecord stats = path_.newest_stats(); stats.sequence != 0) {
    report.stats = device::StatsReport{stats.sample, stats.sequence, now_ms() - stats.taken_ms};
  }
  return report;
}

}  // namespace vballoon::vhost
