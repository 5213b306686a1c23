// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_control.cpp - what the control thread asks of a device.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "balloon_device.hpp"
#include "base/clock.hpp"
#include "base/size_text.hpp"
#include "virtq/fault.hpp"

namespace vballoon::vhost {
namespace {

using balloon::Role;

constexpr std::chrono::seconds kLook{1};
constexpr const char* kOrphaned = "its process is gone, and only its connection was left";
constexpr const char* kTableMissing =
    "the VMM's newest memory table could not be taken, and the log says why; its balloon is kept, "
    "and served again when the VMM sends another table";
constexpr const char* kMemoryLost =
    "memory of the guest is gone: the file behind it was made shorter, or there was no huge page "
    "left "
    "for it; the device is served again when its VM is started anew";

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
  if (guest != 0 && bytes > guest) {
    return fail(Code::kInvalidArgument,
                fmt::format("a balloon of {} does not fit into '{}', which has {} of memory",
                            format_size(bytes), spec_.name, format_size(guest)));
  }
  wanted_pages_ =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes_to_pages(bytes), UINT32_MAX));
  kept_.set_target_pages(wanted_pages_);
  show_target();
  provide_tables();
  // Also where it is the same one: a guest that took pages back is asked again.
  notify_due_.store(true, std::memory_order_relaxed);
  notify_if_due();
  return pages_to_bytes(config_.num_pages());
}

/// The driver sees what was asked for, as far as its memory goes. What was asked for stays: the
/// next VM on the socket may be larger.
void BalloonDevice::show_target() {
  const std::uint64_t guest = path_.counters().guest_bytes.get();
  const std::uint64_t room = guest == 0 ? UINT32_MAX : bytes_to_pages(guest);
  const auto pages = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted_pages_, room));
  if (pages == config_.num_pages()) return;
  config_.set_num_pages(pages);
  notify_due_.store(true, std::memory_order_relaxed);
  if (pages < wanted_pages_) {
    warn(fmt::format(
        "the target of {} is more than the {} of memory that its VM has; it is lowered to "
        "that as long as this VM is connected",
        format_size(pages_to_bytes(wanted_pages_)), format_size(guest)));
  }
}

/// A page fault in a pass takes up to 60 us; here it takes nobody's time.
void BalloonDevice::provide_tables() const noexcept {
  if (config_.num_pages() != 0) path_.provide_tables();
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
  stats_patience_.asked(path_.newest_stats().sequence, now_ms());
  path_.request_stats();
  return {};
}

Result<void> BalloonDevice::move_to(unsigned lcore) {
  const std::scoped_lock lock(mutex_);
  take_back();
  const bool moved = seat_.move_to(lcore);
  hand_over();
  if (moved) return {};
  return fail(Code::kInvalidArgument,
              fmt::format("lcore {} does not poll; see `vballoonctl lcores`", lcore));
}

void BalloonDevice::inhibit(bool on) {
  const std::scoped_lock lock(mutex_);
  path_.inhibit(on);
  kept_.set_inhibited(on);
  // Leaving the lcore waits for what is under way.
  take_back();
  hand_over();
}

std::optional<state::AutomaticWord> BalloonDevice::automatic() const {
  const std::scoped_lock lock(mutex_);
  return kept_.automatic();
}

void BalloonDevice::keep_automatic(state::AutomaticWord word) {
  const std::scoped_lock lock(mutex_);
  kept_.set_automatic(word);
}

void BalloonDevice::tick() {
  end_orphans();
  if (shared_memory_lost()) {
    const std::scoped_lock lock(mutex_);
    give_up_lost_memory();
  }
  if (!notify_due_.load(std::memory_order_relaxed)) return;
  const std::scoped_lock lock(mutex_);
  notify_if_due();
}

/// A process that ended takes its connection along, unless somebody holds its end: we, for one,
/// among the descriptors that it handed over.
void BalloonDevice::end_orphans() {
  const auto now = Connection::Clock::now();
  if (now < next_look_) return;
  next_look_ = now + kLook;
  const std::scoped_lock lock(mutex_);
  for (Connection* connection : {&connection_, &next_connection_}) {
    if (!connection->valid() || !connection->orphaned(now)) continue;
    if (connection == &connection_) ended_why_ = kOrphaned;
    connection->shut_down();
  }
}

bool BalloonDevice::shared_memory_lost() const noexcept {
  return watch_.lost() || log_watch_.lost();
}

/// The poll lcore went on with zeroes in the place of what it had to read; it is to read no more.
void BalloonDevice::give_up_lost_memory() {
  if (!shared_memory_lost() || std::exchange(memory_lost_, true)) return;
  stop_rings();
  warn(kMemoryLost);
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
  if (memory_lost_) return device::State::kBroken;
  for (unsigned role = 0; role < balloon::kRoles; ++role) {
    if (path_.running(static_cast<Role>(role)) &&
        path_.status(static_cast<Role>(role)).fault.get() != 0) {
      return device::State::kBroken;
    }
  }
  const bool served = path_.running(Role::kInflate) && path_.running(Role::kDeflate);
  return served ? device::State::kRunning : device::State::kConnected;
}

/// The host's side of it.
void BalloonDevice::report_memory(device::DeviceReport* report) const {
  const auto& memory = path_.memory();
  if (!vid_ || !memory) return;
  report->resident_bytes = gmem::resident_bytes(*memory);
  report->node = home_node_;
  for (const gmem::Region& region : memory->regions()) {
    report->host_page_bytes = std::max(report->host_page_bytes, region.backing.host_page);
  }
}

device::DeviceReport BalloonDevice::report() const {
  const std::scoped_lock lock(mutex_);
  const device::DeviceCounters& counters = path_.counters();
  const reclaim::ReclaimCounters& reclaimed = path_.reclaim_counters();
  device::DeviceReport report;
  report.name = spec_.name;
  report.socket = spec_.socket;
  report.client = spec_.client;
  report.lcore = seat_.poller().lcore();
  report.state = state();
  if (memory_lost_) {
    report.reason = kMemoryLost;
  } else if (table_missing_) {
    report.reason = kTableMissing;
  } else if (told_of_legacy_ && !acked_.has(balloon::Feature::kVersion1)) {
    report.reason = kLegacy;
  }
  report.guest_bytes = counters.guest_bytes.get();
  report.target_bytes = pages_to_bytes(config_.num_pages());
  report.wanted_bytes = pages_to_bytes(wanted_pages_);
  report.actual_bytes = pages_to_bytes(config_.actual());
  report.ballooned_bytes = pages_to_bytes(counters.ballooned_pages.get());
  report.reclaimed_bytes =
      std::min(report.ballooned_bytes, pages_to_bytes(reclaimed.reclaimed_pages.get()));
  report.discarded_bytes = reclaimed.inflated.bytes.get();
  report.reported_bytes = reclaimed.reported.bytes.get();
  report.stranded_bytes = pages_to_bytes(counters.stranded_pages.get());
  report_memory(&report);
  report.inhibited = path_.inhibited();
  report.prefault = path_.prefaults();
  report.reporting = path_.reports();
  report.poison_value = config_.poison_value();
  report.hints = report_hints();
  report.pressure_messages = counters.pressure_messages.get();
  report.offered = spec_.offered();
  report.acked = acked_;
  report.bit_two = spec_.bit_two();
  for (unsigned role = 0; role < balloon::kRoles; ++role) {
    const auto r = static_cast<Role>(role);
    if (!balloon::may_have(r, report.bit_two)) continue;
    report.queues.push_back(report_queue(r, path_.running(r), path_.status(r)));
  }
  report.counters = device::named_counts(counters);
  report.counters.push_back({"discard_calls", reclaimed.inflated.calls.get()});
  report.counters.push_back({"report_calls", reclaimed.reported.calls.get()});
  report.counters.push_back({"discard_failures", reclaimed.failed_calls.get()});
  report.counters.push_back({"retained_bytes", reclaimed.retained_bytes.get()});
  report.counters.push_back({"uncovered_bytes", reclaimed.uncovered_bytes.get()});
  report.counters.push_back({"prefault_calls", reclaimed.prefaulted.calls.get()});
  report.counters.push_back({"prefaulted_bytes", reclaimed.prefaulted.bytes.get()});
  report.counters.push_back({"prefault_failures", reclaimed.failed_prefaults.get()});
  report.counters.push_back({"kept_pages", reclaimed.kept_pages.get()});
  report.counters.push_back({"gathered_pages", reclaimed.gathered_pages.get()});
  report.counters.push_back({"batches_in_flight", reclaimed.in_flight.get()});
  report.counters.push_back({"reclaim_waits", reclaimed.sink_full.get()});
  report_stats(&report);
  return report;
}

}  // namespace vballoon::vhost
