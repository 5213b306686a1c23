// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_control.cpp - what the control thread wishes of a device.
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

/// How soon it is tried again to keep what could not be kept.
constexpr std::chrono::seconds kKeepAgain{1};

}  // namespace

Result<void> BalloonDevice::check_target(const vm::Target& target, std::uint64_t guest) const {
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

Result<vm::TargetSet> BalloonDevice::set_target(const vm::Target& target) {
  const auto lock = knock();
  if (!lock) return busy();
  const std::uint64_t guest = guest_size();
  if (auto ok = check_target(target, guest); !ok) return tl::unexpected(ok.error());
  const std::uint64_t before = pages_to_bytes(true_target(guest));
  wanted_ = target;
  keep_target(guest);
  show_target();
  provide_tables();
  settle_prefault();
  // Also where it is the same one: a guest that took pages back is asked again.
  tell_target();
  notify_if_due();
  return vm::TargetSet{pages_to_bytes(true_target(guest)), before, guest};
}

void BalloonDevice::keep_target(std::uint64_t guest) {
  const auto pages = std::min<std::uint64_t>(bytes_to_pages(wanted_.size.of(guest)), UINT32_MAX);
  kept_.set_target({static_cast<std::uint32_t>(pages),
                    wanted_.size.share ? wanted_.size.share->millionths : 0, wanted_.forced});
  note_kept();
}

/// What was asked for, as far as this guest's memory goes and it is left enough.
std::uint32_t BalloonDevice::true_target(std::uint64_t guest) const noexcept {
  const std::uint64_t bytes = wanted_.size.of(guest);
  const std::uint64_t fits = guest == 0 ? bytes : std::min(bytes, wanted_.most(guest));
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes_to_pages(fits), UINT32_MAX));
}

/// The driver sees what was asked for, as far as that goes. What was asked for stays: the next VM
/// on the socket may be larger.
void BalloonDevice::show_target() {
  const std::uint64_t guest = guest_size();
  const std::uint32_t pages = true_target(guest);
  if (pages == config_.num_pages()) return;
  config_.set_num_pages(pages);
  notify_due_.store(true, std::memory_order_relaxed);
  const std::uint64_t asked = wanted_.size.of(guest);
  if (pages < bytes_to_pages(asked)) {
    warn(
        fmt::format("the target of {} is too much for the {} of memory that its VM has; it is "
                    "lowered to {} as long as this VM is connected",
                    format_size(asked), format_size(guest), format_size(pages_to_bytes(pages))));
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
  const bool other = question_.next(now_ms()) == vm::SizeQuestion::Step::kShowOther;
  const std::uint32_t target = true_target();
  config_.set_num_pages(other ? vm::SizeQuestion::other(target) : target);
  notify_due_.store(true, std::memory_order_relaxed);
}

/// Or nobody is there to be asked.
void BalloonDevice::hear_size() {
  if (question_.end()) show_target();
}

/// A page fault in a pass takes up to 60 us; here it takes nobody's time. Once is enough: a ledger
/// keeps what it was provided with.
void BalloonDevice::provide_tables() noexcept {
  if (config_.num_pages() == 0 || std::exchange(tables_provided_, true)) return;
  path_.provide_tables();
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

}  // namespace vballoon::vhost
