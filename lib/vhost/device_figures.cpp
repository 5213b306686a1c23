// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/device_figures.hpp"

#include <algorithm>
#include <array>

#include "base/clock.hpp"
#include "virtq/fault.hpp"

namespace vballoon::vhost {
namespace {

using wire::Role;

constexpr const char* kTableMissing =
    "the VMM's newest memory table could not be taken, and the log says why; its balloon is kept, "
    "and served again when the VMM sends another table";

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

/// @return why the device is not served as it should be; empty where it is.
std::string_view trouble(const DeviceParts& device, bool slow) noexcept {
  const Session& session = device.session;
  if (const auto why = device.blame.why_not_served(); !why.empty()) return why;
  if (session.memory.lost) return kMemoryLost;
  if (session.memory.table == SharedMemory::Table::kMissing) return kTableMissing;
  const bool legacy = !session.guest.acked.has(wire::Feature::kVersion1);
  if (session.told_of_legacy && legacy) return kLegacy;
  return slow ? std::string_view(kSlow) : std::string_view();
}

/// A guest whose rings are stopped may have been reset. It then takes pages of its old balloon back
/// without a word. But each page that it takes back shows in its resident memory.
/// @return  what the host has at least; nothing where that is not known.
std::optional<std::uint64_t> reclaimed_bytes(const DeviceParts& device,
                                             std::optional<std::uint64_t> resident,
                                             std::uint64_t guest) noexcept {
  const datapath::DataPath& path = device.balloon.path();
  const std::uint64_t pages = std::min(path.counters().ballooned_pages.get(),
                                       path.reclaim_counters().reclaimed_pages.get());
  const std::uint64_t bytes = pages_to_bytes(pages);
  if (bytes == 0 || path.running(wire::entrance(device.spec.dialect()).role)) return bytes;
  const std::optional<std::uint64_t> then = device.session.guest.resident_then;
  // Files that have more in them than this guest's memory do not tell what the guest takes back.
  if (!resident || !then || *then + bytes > guest) return std::nullopt;
  const std::uint64_t grown = *resident - std::min(*resident, *then);
  return bytes - std::min(bytes, grown);
}

/// Finds the figures of the host's memory behind the guest. @pre guest_bytes is found
void find_memory(const DeviceParts& device, vm::VmFigures* figures) {
  const auto* const memory = device.balloon.path().memory();
  const bool known = device.slot.taken() && memory != nullptr;
  if (known) figures->resident_bytes = gmem::resident_bytes(*memory);
  figures->reclaimed_bytes = reclaimed_bytes(device, figures->resident_bytes, figures->guest_bytes);
  if (!known) return;
  if (const auto most = gmem::most_given_back(*memory)) {
    const std::uint64_t given = figures->reclaimed_bytes.value_or(0);
    figures->came_back_bytes = given - std::min(given, *most);
    if (given > *most) figures->reclaimed_bytes = *most;
  }
  figures->node = device.session.memory.home_node;
  for (const gmem::Region& region : memory->regions()) {
    figures->host_page_bytes = std::max(figures->host_page_bytes, region.backing.host_page);
  }
}

void find_target(const DeviceParts& device, vm::VmFigures* figures) noexcept {
  const vm::Target& wanted = device.target.wanted();
  const datapath::ConfigSpace& config = device.balloon.config();
  figures->target_bytes = pages_to_bytes(device.target.pages_of(figures->guest_bytes));
  figures->wanted_bytes = wanted.size.of(figures->guest_bytes);
  figures->share = wanted.size.share;
  if (config.large()) figures->unit_bytes = std::uint64_t{1} << config.large()->page_shift;
  if (device.slot.taken() && config.knows_actual()) {
    const std::uint64_t inside = device.balloon.path().counters().ballooned_pages.get();
    figures->actual_bytes = pages_to_bytes(config.large() ? inside : config.actual());
  }
}

std::string_view reason_name(wire::large::Reason reason) noexcept {
  static constexpr std::array<std::string_view, 7> kNames{
      "reached", "working", "exhausted", "no_node", "withheld", "oom", "leaving"};
  const auto number = static_cast<std::size_t>(reason);
  return number < kNames.size() ? kNames[number] : "unknown";
}

/// A driver that is gone says nothing any more.
std::optional<vm::DriverReport> report_driver(const DeviceParts& device) noexcept {
  const datapath::DataPath& path = device.balloon.path();
  const auto& large = device.balloon.config().large();
  const datapath::StateRecord record = path.requests().state.load();
  if (!large || record.sequence == 0 || !device.slot.taken()) return std::nullopt;
  // Its numbers may be any.
  const auto bytes = [&large](std::uint64_t units) {
    return units > (UINT64_MAX >> large->page_shift) ? UINT64_MAX : units << large->page_shift;
  };
  return vm::DriverReport{reason_name(record.reason),
                          bytes(record.state.size),
                          bytes(record.state.target),
                          record.state.longest_us,
                          path.requests().is_newest(record.serial),
                          now_ms() - record.taken_ms};
}

/// Files of memory may have transparent huge pages only where the VMM's mapping is aligned to them
/// as the file is.
std::uint64_t never_huge(const DeviceParts& device) noexcept {
  constexpr std::uint64_t kHugePage = 2 * kMiB;
  const auto* const memory = device.balloon.path().memory();
  if (!device.slot.taken() || memory == nullptr) return 0;
  std::uint64_t bytes = 0;
  for (const wire::MemoryRegion& text : device.session.memory.taken.regions) {
    const gmem::Region* const region = memory->find(Gpa{text.guest_address});
    if (region == nullptr || !region->backing.memory || text.size < kHugePage) continue;
    const bool small = region->backing.host_page == kPageSize;
    if (small && (text.user_address - text.mmap_offset) % kHugePage != 0) bytes += text.size;
  }
  return bytes;
}

void find_counts(const datapath::DataPath& path, vm::VmFigures* figures) noexcept {
  const datapath::DeviceCounters& counters = path.counters();
  figures->ballooned_bytes = pages_to_bytes(counters.ballooned_pages.get());
  figures->stranded_bytes = pages_to_bytes(counters.stranded_pages.get());
  figures->pressure_messages = counters.pressure_messages.get();
  const reclaim::ReclaimCounters& reclaimed = path.reclaim_counters();
  figures->discarded_bytes = reclaimed.inflated.bytes.get();
  figures->reported_bytes = reclaimed.reported.bytes.get();
  figures->inhibited = path.inhibited();
}

void find_figures(const DeviceParts& device, vm::VmFigures* figures) {
  const datapath::DataPath& path = device.balloon.path();
  const std::uint64_t now = now_ms();
  figures->state = state_of(device);
  figures->slow = path.conduct()->slow(now);
  figures->reason = trouble(device, figures->slow);
  figures->alone = path.conduct()->alone.load(std::memory_order_relaxed);
  figures->lcore = device.attachment.lcore();
  vm::find_clues(device.balloon, device.session.guest, device.spec.dialect(), now, figures);
  figures->stats_waiting_ms = device.stats.waiting_ms(now);
  vm::settle(figures);
  find_target(device, figures);
  figures->ledger_whole = device.session.guest.ledger_whole;
  find_counts(path, figures);
  find_memory(device, figures);
}

vm::HintReport report_hints(const DeviceParts& device) {
  const datapath::HintRound& round = device.balloon.path().hints();
  vm::HintReport report;
  report.command_id = device.balloon.config().hint_command();
  report.bytes = pages_to_bytes(round.pages.get());
  if (report.command_id == wire::kHintDone) {
    report.state = "idle";
  } else if (report.command_id == wire::kHintStop) {
    report.state = "stopped";
  } else if (round.id.get() != report.command_id) {
    report.state = "asked";
    report.bytes = 0;
  } else {
    report.state = round.going.get() != 0 ? "running" : "complete";
  }
  return report;
}

std::vector<vm::QueueReport> report_queues(const DeviceParts& device) {
  const datapath::DataPath& path = device.balloon.path();
  std::vector<vm::QueueReport> queues;
  for (unsigned number = 0; number < wire::kRoles; ++number) {
    const auto role = static_cast<Role>(number);
    if (!wire::may_have(role, device.spec.dialect())) continue;
    queues.push_back(report_queue(role, path.running(role), path.status(role)));
  }
  return queues;
}

std::vector<datapath::NamedCount> report_counters(const datapath::DataPath& path,
                                                  const vm::VmFigures& figures) {
  std::vector<datapath::NamedCount> counters;
  if (figures.came_back_bytes) counters.push_back({"came_back_bytes", *figures.came_back_bytes});
  for (const auto& count : datapath::named_counts(path.counters())) counters.push_back(count);
  const reclaim::ReclaimCounters& reclaimed = path.reclaim_counters();
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
  counters.push_back({"slow_calls", path.conduct()->slow_calls.get()});
  counters.push_back({"lane_moves", path.conduct()->lane_moves.get()});
  return counters;
}

}  // namespace

vm::State state_of(const DeviceParts& device) noexcept {
  const datapath::DataPath& path = device.balloon.path();
  if (!device.blame.why_not_served().empty()) return vm::State::kSetAside;
  if (!device.slot.taken()) return vm::State::kWaiting;
  if (device.session.memory.lost) return vm::State::kBroken;
  for (unsigned number = 0; number < wire::kRoles; ++number) {
    const auto role = static_cast<Role>(number);
    if (path.running(role) && path.status(role).fault.get() != 0) return vm::State::kBroken;
  }
  const wire::MainQueue entrance = wire::entrance(device.spec.dialect());
  const bool served =
      path.running(entrance.role) && path.running(wire::companion(device.spec.dialect()).role);
  if (served) return vm::State::kRunning;
  // By the present driver, or by an earlier one on this connection.
  const bool was_served = device.session.guest.rings[entrance.ring].begun();
  return was_served ? vm::State::kStopped : vm::State::kConnected;
}

vm::VmFigures figures_of(const DeviceParts& device) {
  vm::VmFigures figures;
  find_figures(device, &figures);
  return figures;
}

vm::DeviceReport report_of(const DeviceParts& device) {
  const vm::Balloon& balloon = device.balloon;
  vm::DeviceReport report;
  find_figures(device, &report);
  report.forced = device.target.wanted().forced;
  report.kept = balloon.state().kept();
  report.why_not_kept = balloon.state().why_not();
  if (device.slot.taken()) {
    report.restarts = device.kept.restarts();
    report.why_not_outlives = device.kept.why_not();
  }
  if (device.slot.taken() && balloon.path().memory() != nullptr) {
    report.shared_with = device.session.memory.shared_with;
  }
  report.prefault = device.prefault.wanted();
  report.no_prefault = device.session.memory.no_prefault;
  report.reporting = balloon.path().reports();
  report.poison_value = balloon.config().poison_value();
  report.hints = report_hints(device);
  report.nodes = balloon.path().stats().nodes();
  report.driver = report_driver(device);
  report.never_huge_bytes = never_huge(device);
  report.offered = device.spec.offered();
  report.queues = report_queues(device);
  report.counters = report_counters(balloon.path(), report);
  report.holes = balloon.path().reclaim_counters().holes.get();
  return report;
}

}  // namespace vballoon::vhost
