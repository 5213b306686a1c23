// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_control.cpp - what the control thread asks of a device.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/clock.hpp"
#include "base/size_text.hpp"
#include "vhost/balloon_device.hpp"
#include "virtq/fault.hpp"

namespace vballoon::vhost {
namespace {

using wire::Role;

constexpr unsigned kInflateRing = 0;
/// How soon it is tried again to keep what could not be kept.
constexpr std::chrono::seconds kKeepAgain{1};
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

Result<void> BalloonDevice::check_target(const vm::Target& target) const {
  const std::uint64_t guest = guest_size();
  const std::uint64_t bytes = target.size.of(guest);
  if (guest == 0 || bytes <= target.most(guest)) return {};
  if (bytes > guest) {
    return fail(Code::kInvalidArgument,
                fmt::format("a balloon of {} does not fit into '{}', which has {} of memory",
                            format_size(bytes), spec_.name, format_size(guest)));
  }
  return fail(
      Code::kInvalidArgument,
      fmt::format("a balloon of {} would leave {} to '{}', of its {}; a guest is left {} at "
                  "least, so {} is the most, unless you insist (--force)",
                  format_size(bytes), format_size(guest - bytes), spec_.name, format_size(guest),
                  format_size(vm::left_to_guest(guest)), format_size(target.most(guest))));
}

Result<std::uint64_t> BalloonDevice::set_target(const vm::Target& target) {
  const auto lock = knock();
  if (!lock) return busy();
  if (auto ok = check_target(target); !ok) return tl::unexpected(ok.error());
  wanted_ = target;
  keep_target();
  show_target();
  provide_tables();
  settle_prefault();
  // Also where it is the same one: a guest that took pages back is asked again.
  tell_target();
  notify_if_due();
  return pages_to_bytes(true_target());
}

void BalloonDevice::keep_target() {
  const auto pages =
      std::min<std::uint64_t>(bytes_to_pages(wanted_.size.of(guest_size())), UINT32_MAX);
  kept_.set_target({static_cast<std::uint32_t>(pages),
                    wanted_.size.share ? wanted_.size.share->millionths : 0, wanted_.forced});
  note_kept();
}

std::uint64_t BalloonDevice::guest_size() const noexcept {
  vm::DeviceReport report;
  report_clues(&report);
  vm::settle_figures(&report);
  return report.guest_bytes;
}

/// What tells how large the guest is.
void BalloonDevice::report_clues(vm::DeviceReport* report) const noexcept {
  report->table_bytes = path_.counters().guest_bytes.get();
  report->boot_bytes = boot_bytes_;
  report->acked = acked_;
  report->bit_two = spec_.bit_two();
  report_stats(report);
}

/// What was asked for, as far as this guest's memory goes and it is left enough.
std::uint32_t BalloonDevice::true_target() const noexcept {
  const std::uint64_t guest = guest_size();
  const std::uint64_t bytes = wanted_.size.of(guest);
  const std::uint64_t fits = guest == 0 ? bytes : std::min(bytes, wanted_.most(guest));
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes_to_pages(fits), UINT32_MAX));
}

/// The driver sees what was asked for, as far as that goes. What was asked for stays: the next VM
/// on the socket may be larger.
void BalloonDevice::show_target() {
  const std::uint32_t pages = true_target();
  if (pages == config_.num_pages()) return;
  config_.set_num_pages(pages);
  notify_due_.store(true, std::memory_order_relaxed);
  const std::uint64_t asked = wanted_.size.of(guest_size());
  if (pages < bytes_to_pages(asked)) {
    warn(fmt::format(
        "the target of {} is too much for the {} of memory that its VM has; it is "
        "lowered to {} as long as this VM is connected",
        format_size(asked), format_size(guest_size()), format_size(pages_to_bytes(pages))));
  }
}

/// Whatever driver there is. A new one has read it, but one that goes on may have read another.
void BalloonDevice::tell_target() {
  notify_due_.store(true, std::memory_order_relaxed);
  if (config_.knows_actual()) return;
  show_target();
  question_.begin(now_ms());
}

void BalloonDevice::ask_size() {
  if (config_.knows_actual() || !channel_.open()) return hear_size();
  // It was not told yet, and cannot answer.
  if (!path_.running(Role::kInflate) || notify_due_.load(std::memory_order_relaxed)) {
    static_cast<void>(question_.end());
    return tell_target();
  }
  const bool other = question_.next(now_ms()) == SizeQuestion::Step::kShowOther;
  const std::uint32_t target = true_target();
  config_.set_num_pages(other ? SizeQuestion::other(target) : target);
  notify_due_.store(true, std::memory_order_relaxed);
}

/// Or nobody is there to be asked.
void BalloonDevice::hear_size() {
  if (question_.end()) show_target();
}

/// A page fault in a pass takes up to 60 us; here it takes nobody's time.
void BalloonDevice::provide_tables() const noexcept {
  if (config_.num_pages() != 0) path_.provide_tables();
}

Result<void> BalloonDevice::request_stats() {
  const auto lock = knock();
  if (!lock) return busy();
  if (state() == vm::State::kStopped) {
    return fail(
        Code::kUnavailable,
        fmt::format("'{}' cannot be asked: its balloon driver's rings are stopped, because its "
                    "VM is paused or suspended, or its guest was reset or unloaded the driver",
                    spec_.name));
  }
  if (!vid_ || !path_.running(Role::kInflate)) {
    return fail(Code::kUnavailable,
                fmt::format("the guest of '{}' has not started its balloon driver", spec_.name));
  }
  if (!path_.running(Role::kStats)) {
    return fail(
        Code::kUnavailable,
        fmt::format("the balloon driver of '{}' has no statistics queue (feature STATS_VQ was "
                    "not accepted)",
                    spec_.name));
  }
  stats_patience_.asked(path_.newest_stats().sequence, now_ms());
  path_.request_stats();
  return {};
}

Result<void> BalloonDevice::move_to(unsigned lcore) {
  const auto lock = knock();
  if (!lock) return busy();
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
  note_kept();
  // Leaving the lcore waits for what is under way.
  take_back();
  hand_over();
}

std::optional<vm::AutomaticWord> BalloonDevice::automatic() const {
  const std::scoped_lock lock(mutex_);
  return kept_.automatic();
}

void BalloonDevice::keep_automatic(vm::AutomaticWord word) {
  const std::scoped_lock lock(mutex_);
  kept_.set_automatic(word);
  note_kept();
}

vm::Kept BalloonDevice::kept() const {
  const std::scoped_lock lock(mutex_);
  return {kept_.kept(), kept_.why_not()};
}

void BalloonDevice::note_kept() {
  keep_due_.store(kept_.unfinished(), std::memory_order_relaxed);
  next_keep_ = std::chrono::steady_clock::now() + kKeepAgain;
}

void BalloonDevice::keep_again() {
  if (std::chrono::steady_clock::now() < next_keep_) return;
  kept_.keep();
  note_kept();
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

void BalloonDevice::report_wishes(vm::DeviceReport* report) const {
  report->target_bytes = pages_to_bytes(true_target());
  report->wanted_bytes = wanted_.size.of(guest_size());
  report->share = wanted_.size.share;
  report->forced = wanted_.forced;
  report->kept = kept_.kept();
  report->why_not_kept = kept_.why_not();
}

/// A guest whose rings are stopped may have been reset, and takes back what it was said to have
/// given without a word. Whatever it takes shows in what it has.
/// @return  what the host has at least; nothing where that is not known.
std::optional<std::uint64_t> BalloonDevice::reclaimed_bytes(
    std::optional<std::uint64_t> resident) const noexcept {
  const std::uint64_t pages = std::min(path_.counters().ballooned_pages.get(),
                                       path_.reclaim_counters().reclaimed_pages.get());
  const std::uint64_t bytes = pages_to_bytes(pages);
  if (bytes == 0 || path_.running(Role::kInflate)) return bytes;
  // Files that hold more than this guest's memory do not tell of it.
  if (!resident || !resident_then_ || *resident_then_ + bytes > guest_size()) return std::nullopt;
  const std::uint64_t grown = *resident - std::min(*resident, *resident_then_);
  return bytes - std::min(bytes, grown);
}

/// The host's side of it.
void BalloonDevice::report_memory(vm::DeviceReport* report) const {
  const auto& memory = path_.memory();
  if (!vid_ || !memory) return;
  report->resident_bytes = gmem::resident_bytes(*memory);
  report->reclaimed_bytes = reclaimed_bytes(report->resident_bytes);
  if (const auto most = gmem::most_given_back(*memory)) {
    report->on_disk = true;
    const std::uint64_t given = report->reclaimed_bytes.value_or(0);
    report->counters.push_back({"came_back_bytes", given - std::min(given, *most)});
    if (given > *most) report->reclaimed_bytes = *most;
  }
  report->node = home_node_;
  report->shared_with = shared_with_;
  for (const gmem::Region& region : memory->regions()) {
    report->host_page_bytes = std::max(report->host_page_bytes, region.backing.host_page);
  }
}

vm::DeviceReport BalloonDevice::report() const {
  if (const auto lock = knock(kGlance)) {
    last_report_ = report_locked();
  } else {
    last_report_.name = spec_.name;
    last_report_.socket = spec_.socket;
    last_report_.slow = true;
    last_report_.reason = kSlow;
  }
  return last_report_;
}

vm::DeviceReport BalloonDevice::report_locked() const {
  const datapath::DeviceCounters& counters = path_.counters();
  const reclaim::ReclaimCounters& reclaimed = path_.reclaim_counters();
  vm::DeviceReport report;
  report.name = spec_.name;
  report.socket = spec_.socket;
  report.client = spec_.client;
  report.lcore = seat_.poller().lcore();
  report.state = state();
  report.slow = path_.conduct()->slow(now_ms());
  report.alone = path_.conduct()->alone.load(std::memory_order_relaxed);
  if (memory_lost_) {
    report.reason = kMemoryLost;
  } else if (table_missing_) {
    report.reason = kTableMissing;
  } else if (told_of_legacy_ && !acked_.has(wire::Feature::kVersion1)) {
    report.reason = kLegacy;
  } else if (report.slow) {
    report.reason = kSlow;
  }
  report_wishes(&report);
  if (vid_ && config_.knows_actual()) report.actual_bytes = pages_to_bytes(config_.actual());
  report.ballooned_bytes = pages_to_bytes(counters.ballooned_pages.get());
  report.ledger_whole = ledger_whole_;
  report.discarded_bytes = reclaimed.inflated.bytes.get();
  report.reported_bytes = reclaimed.reported.bytes.get();
  report.stranded_bytes = pages_to_bytes(counters.stranded_pages.get());
  report.reclaimed_bytes = reclaimed_bytes(std::nullopt);
  report_memory(&report);
  report.inhibited = path_.inhibited();
  report.prefault = wants_prefault_;
  report.no_prefault = no_prefault_;
  report.reporting = path_.reports();
  report.poison_value = config_.poison_value();
  report.hints = report_hints();
  report.pressure_messages = counters.pressure_messages.get();
  report.offered = spec_.offered();
  for (unsigned role = 0; role < wire::kRoles; ++role) {
    const auto r = static_cast<Role>(role);
    if (!wire::may_have(r, spec_.bit_two())) continue;
    report.queues.push_back(report_queue(r, path_.running(r), path_.status(r)));
  }
  for (const auto& count : datapath::named_counts(counters)) report.counters.push_back(count);
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
  report.counters.push_back({"slow_calls", path_.conduct()->slow_calls.get()});
  report.counters.push_back({"lane_moves", path_.conduct()->lane_moves.get()});
  report_clues(&report);
  vm::settle_figures(&report);
  return report;
}

}  // namespace vballoon::vhost
