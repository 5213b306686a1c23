// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_figures.cpp - what the control thread is told of a device.
#include <algorithm>

#include "base/clock.hpp"
#include "vhost/balloon_device.hpp"
#include "virtq/fault.hpp"

namespace vballoon::vhost {
namespace {

using wire::Role;

constexpr unsigned kInflateRing = 0;
constexpr const char* kTableMissing =
    "the VMM's newest memory table could not be taken, and the log says why; its balloon is kept, "
    "and served again when the VMM sends another table";
/// How long the control thread waits for a device that the event thread is at: to show it, where
/// what was shown last does as well.
constexpr std::chrono::milliseconds kGlance{20};

vm::QueueReport report_queue(Role role, bool running, const datapath::QueueStatus& status) {
  vm::QueueReport report;
  const auto fault = static_cast<virtq::QueueFault>(status.fault.get());
  report.index = static_cast<unsigned>(status.index.get());
  report.role = wire::role_name(role);
  report.state = !running ? "stopped" : fault == virtq::QueueFault::kNone ? "running" : "broken";
  if (running) report.reason = virtq::describe(fault);
  report.size = static_cast<unsigned>(status.size.get());
  report.buffers = status.buffers.get();
  return report;
}

}  // namespace

vm::VmFigures BalloonDevice::figures() const {
  vm::VmFigures figures;
  if (const auto lock = knock(kGlance)) {
    find_figures(&figures);
    static_cast<vm::VmFigures&>(last_report_) = figures;
  } else {
    note_busy();
    figures = last_report_;
  }
  return figures;
}

vm::DeviceReport BalloonDevice::report() const {
  if (const auto lock = knock(kGlance)) {
    vm::DeviceReport report;
    find_figures(&report);
    report.forced = wanted_.forced;
    report.kept = kept_.kept();
    report.why_not_kept = kept_.why_not();
    if (vid_ && path_.memory() != nullptr) report.shared_with = shared_with_;
    report.prefault = wants_prefault_;
    report.no_prefault = no_prefault_;
    report.reporting = path_.reports();
    report.poison_value = config_.poison_value();
    report.hints = report_hints();
    report.offered = spec_.offered();
    report.queues = report_queues();
    report.counters = report_counters(report);
    last_report_ = std::move(report);
  } else {
    note_busy();
  }
  return last_report_;
}

void BalloonDevice::note_busy() const {
  last_report_.slow = true;
  last_report_.reason = kSlow;
}

void BalloonDevice::find_figures(vm::VmFigures* figures) const {
  figures->state = state();
  figures->slow = path_.conduct()->slow(now_ms());
  figures->reason = trouble(figures->slow);
  figures->alone = path_.conduct()->alone.load(std::memory_order_relaxed);
  figures->lcore = seat_.poller().lcore();
  find_clues(figures);
  vm::settle(figures);
  figures->target_bytes = pages_to_bytes(true_target(figures->guest_bytes));
  figures->wanted_bytes = wanted_.size.of(figures->guest_bytes);
  figures->share = wanted_.size.share;
  if (vid_ && config_.knows_actual()) figures->actual_bytes = pages_to_bytes(config_.actual());
  figures->ledger_whole = ledger_whole_;
  const datapath::DeviceCounters& counters = path_.counters();
  figures->ballooned_bytes = pages_to_bytes(counters.ballooned_pages.get());
  figures->stranded_bytes = pages_to_bytes(counters.stranded_pages.get());
  figures->pressure_messages = counters.pressure_messages.get();
  const reclaim::ReclaimCounters& reclaimed = path_.reclaim_counters();
  figures->discarded_bytes = reclaimed.inflated.bytes.get();
  figures->reported_bytes = reclaimed.reported.bytes.get();
  figures->inhibited = path_.inhibited();
  find_memory(figures);
}

/// Why it is not served as it should be; empty where it is.
std::string_view BalloonDevice::trouble(bool slow) const noexcept {
  if (memory_lost_) return kMemoryLost;
  if (table_missing_) return kTableMissing;
  if (told_of_legacy_ && !acked_.has(wire::Feature::kVersion1)) return kLegacy;
  return slow ? std::string_view(kSlow) : std::string_view();
}

vm::State BalloonDevice::state() const {
  if (!vid_) return vm::State::kWaiting;
  if (memory_lost_) return vm::State::kBroken;
  for (unsigned role = 0; role < wire::kRoles; ++role) {
    if (path_.running(static_cast<Role>(role)) &&
        path_.status(static_cast<Role>(role)).fault.get() != 0) {
      return vm::State::kBroken;
    }
  }
  const bool served = path_.running(Role::kInflate) && path_.running(Role::kDeflate);
  if (served) return vm::State::kRunning;
  return was_served() ? vm::State::kStopped : vm::State::kConnected;
}

/// By this driver, or one before it, on this connection.
bool BalloonDevice::was_served() const noexcept {
  return rings_[kInflateRing].begun;
}

/// What tells how large the guest is.
void BalloonDevice::find_clues(vm::VmFigures* figures) const noexcept {
  figures->table_bytes = path_.counters().guest_bytes.get();
  figures->boot_bytes = boot_bytes_;
  figures->acked = acked_;
  figures->bit_two = spec_.bit_two();
  find_stats(figures);
}

std::uint64_t BalloonDevice::guest_size() const noexcept {
  vm::VmFigures figures;
  find_clues(&figures);
  vm::settle(&figures);
  return figures.guest_bytes;
}

/// A ring that is stopped, as in a VM that is paused, owes no answer.
void BalloonDevice::find_stats(vm::VmFigures* figures) const noexcept {
  const datapath::StatsRecord stats = path_.newest_stats();
  const std::uint64_t now = now_ms();
  if (stats.sequence != 0) {
    figures->stats = vm::StatsReport{stats.sample, stats.sequence, now - stats.taken_ms,
                                     pages_to_bytes(stats.ballooned_pages)};
  }
  if (path_.running(Role::kStats)) {
    figures->stats_waiting_ms = stats_patience_.waiting_ms(stats.sequence, now);
  }
}

/// The host's side of it. @pre guest_bytes.
void BalloonDevice::find_memory(vm::VmFigures* figures) const {
  const auto& memory = path_.memory();
  const bool known = vid_ && memory != nullptr;
  if (known) figures->resident_bytes = gmem::resident_bytes(*memory);
  figures->reclaimed_bytes = reclaimed_bytes(figures->resident_bytes, figures->guest_bytes);
  if (!known) return;
  if (const auto most = gmem::most_given_back(*memory)) {
    const std::uint64_t given = figures->reclaimed_bytes.value_or(0);
    figures->came_back_bytes = given - std::min(given, *most);
    if (given > *most) figures->reclaimed_bytes = *most;
  }
  figures->node = home_node_;
  for (const gmem::Region& region : memory->regions()) {
    figures->host_page_bytes = std::max(figures->host_page_bytes, region.backing.host_page);
  }
}

/// A guest whose rings are stopped may have been reset, and takes back what it was said to have
/// given without a word. Whatever it takes shows in what it has.
/// @return  what the host has at least; nothing where that is not known.
std::optional<std::uint64_t> BalloonDevice::reclaimed_bytes(std::optional<std::uint64_t> resident,
                                                            std::uint64_t guest) const noexcept {
  const std::uint64_t pages = std::min(path_.counters().ballooned_pages.get(),
                                       path_.reclaim_counters().reclaimed_pages.get());
  const std::uint64_t bytes = pages_to_bytes(pages);
  if (bytes == 0 || path_.running(Role::kInflate)) return bytes;
  // Files that hold more than this guest's memory do not tell of it.
  if (!resident || !resident_then_ || *resident_then_ + bytes > guest) return std::nullopt;
  const std::uint64_t grown = *resident - std::min(*resident, *resident_then_);
  return bytes - std::min(bytes, grown);
}

std::vector<vm::QueueReport> BalloonDevice::report_queues() const {
  std::vector<vm::QueueReport> queues;
  for (unsigned number = 0; number < wire::kRoles; ++number) {
    const auto role = static_cast<Role>(number);
    if (!wire::may_have(role, spec_.bit_two())) continue;
    queues.push_back(report_queue(role, path_.running(role), path_.status(role)));
  }
  return queues;
}

std::vector<datapath::NamedCount> BalloonDevice::report_counters(
    const vm::VmFigures& figures) const {
  std::vector<datapath::NamedCount> counters;
  if (figures.came_back_bytes) counters.push_back({"came_back_bytes", *figures.came_back_bytes});
  for (const auto& count : datapath::named_counts(path_.counters())) counters.push_back(count);
  const reclaim::ReclaimCounters& reclaimed = path_.reclaim_counters();
  counters.push_back({"discard_calls", reclaimed.inflated.calls.get()});
  counters.push_back({"report_calls", reclaimed.reported.calls.get()});
  counters.push_back({"discard_failures", reclaimed.failed_calls.get()});
  counters.push_back({"retained_bytes", reclaimed.retained_bytes.get()});
  counters.push_back({"uncovered_bytes", reclaimed.uncovered_bytes.get()});
  counters.push_back({"prefault_calls", reclaimed.prefaulted.calls.get()});
  counters.push_back({"prefaulted_bytes", reclaimed.prefaulted.bytes.get()});
  counters.push_back({"prefault_failures", reclaimed.failed_prefaults.get()});
  counters.push_back({"kept_pages", reclaimed.kept_pages.get()});
  counters.push_back({"gathered_pages", reclaimed.gathered_pages.get()});
  counters.push_back({"batches_in_flight", reclaimed.in_flight.get()});
  counters.push_back({"reclaim_waits", reclaimed.sink_full.get()});
  counters.push_back({"slow_calls", path_.conduct()->slow_calls.get()});
  counters.push_back({"lane_moves", path_.conduct()->lane_moves.get()});
  return counters;
}

}  // namespace vballoon::vhost
