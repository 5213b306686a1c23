// SPDX-License-Identifier: BSD-3-Clause
#include "service/events/watcher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/guest_page.hpp"
#include "base/size_text.hpp"

namespace vballoon::service {
namespace {

std::uint64_t actual_of(const VmLook& vm) {
  return vm.figures.actual_bytes.value_or(vm.figures.ballooned_bytes);
}

/// Of the balloon, what the host does not have.
std::uint64_t kept_of(const vm::VmFigures& figures) {
  const std::uint64_t reclaimed = figures.reclaimed_bytes.value_or(figures.ballooned_bytes);
  return figures.ballooned_bytes - std::min(reclaimed, figures.ballooned_bytes);
}

std::string because(std::string_view what, const std::string& reason) {
  return reason.empty() ? std::string(what) : fmt::format("{}: {}", what, reason);
}

News news_of_state(const VmLook& vm) {
  switch (vm.figures.state) {
    case vm::State::kWaiting:
      return {vm.name, "disconnected", "its VMM is gone"};
    case vm::State::kConnected:
      return {vm.name, "connected", "a VMM is connected; its guest has not started the driver"};
    case vm::State::kStopped:
      return {vm.name, "stopped", "its rings are not served: paused, or reset"};
    case vm::State::kRunning:
      return {
          vm.name, "running",
          fmt::format("its driver runs; the guest has {}", format_size(vm.figures.guest_bytes))};
    case vm::State::kBroken:
      return {vm.name, "broken", because("its balloon does not work", vm.reason)};
    case vm::State::kSetAside:
      break;
  }
  return {vm.name, "set_aside", because("it is not served any more", vm.reason)};
}

}  // namespace

std::vector<News> EventWatcher::look(std::span<const VmLook> vms, Clock::time_point now) {
  ++round_;
  std::vector<News> news;
  for (const VmLook& vm : vms) {
    const auto [at, is_new] = known_.try_emplace(vm.name);
    Known& known = at->second;
    known.round = round_;
    if (is_new) {
      known.moved = now;
      first_seen(vm, &known, &news);
    }
    look_at_state(vm, &known, &news);
    look_at_target(vm, now, &known, &news);
    look_at_kept(vm, now, &known, &news);
  }
  forget_the_removed(&news);
  return news;
}

bool EventWatcher::is_news(std::string_view name, vm::State state) const {
  const auto known = known_.find(name);
  return known == known_.end() || known->second.state != state;
}

void EventWatcher::first_seen(const VmLook& vm, Known* known, std::vector<News>* news) const {
  known->target = vm.figures.target_bytes;
  known->actual = actual_of(vm);
  known->guest_known = vm.figures.guest_bytes != 0;
  known->reached = at_target(known->actual, known->target);
  if (round_ > 1) {
    news->push_back({vm.name, "added", "the daemon serves it from now on"});
    return;
  }
  known->state = vm.figures.state;
  if (vm.restarts == 0) return;
  news->push_back({vm.name, "outlived",
                   fmt::format("it goes on with another daemon; for {} ms nobody served it",
                               vm.last_restart_ms)});
}

void EventWatcher::look_at_state(const VmLook& vm, Known* known, std::vector<News>* news) {
  const vm::State before = std::exchange(known->state, vm.figures.state);
  if (before == vm.figures.state) return;
  news->push_back(news_of_state(vm));
  // Another guest, whose way to the target begins here.
  if (before == vm::State::kWaiting) {
    known->reached = at_target(actual_of(vm), vm.figures.target_bytes);
  }
}

void EventWatcher::look_at_target(const VmLook& vm, Clock::time_point now, Known* known,
                                  std::vector<News>* news) {
  const std::uint64_t target = vm.figures.target_bytes;
  const std::uint64_t actual = actual_of(vm);
  const std::uint64_t before = std::exchange(known->target, target);
  // A share has no size without a guest, so its target comes and goes with it.
  const bool guest_known = vm.figures.guest_bytes != 0;
  const bool was_known = std::exchange(known->guest_known, guest_known);
  if (before != target && vm.automatic && guest_known && was_known) {
    news->push_back({vm.name, "policy",
                     fmt::format("target {}, was {}: {}", format_size(target), format_size(before),
                                 vm.rule.empty() ? "no rule yet" : vm.rule)});
  }
  if (before != target || std::exchange(known->actual, actual) != actual) {
    known->actual = actual;
    known->moved = now;
    known->stalled = false;
  }
  if (before != target) known->reached = false;
  if (vm.figures.state != vm::State::kRunning) {
    known->moved = now;  // nobody moves
    return;
  }
  if (at_target(actual, target)) {
    const bool told = std::exchange(known->reached, true);
    // The law's targets come and go, and each was told.
    if (!told && !vm.automatic) {
      news->push_back({vm.name, "reached", fmt::format("the balloon is {}", format_size(actual))});
    }
  } else if (now - known->moved >= kStalledAfter && !std::exchange(known->stalled, true)) {
    news->push_back({vm.name, "stalled",
                     fmt::format("the balloon is {} and stays there; the target is {}",
                                 format_size(actual), format_size(target))});
  }
}

void EventWatcher::look_at_kept(const VmLook& vm, Clock::time_point now, Known* known,
                                std::vector<News>* news) {
  const std::uint64_t kept = kept_of(vm.figures);
  const bool much = kept >= kMuchKept;
  if (std::exchange(known->much_kept, much) != much) known->much_since = now;
  if (kept < kMuchKept / 2) known->much_told = false;
  if (!much || now - known->much_since < kStalledAfter) return;
  if (std::exchange(known->much_told, true)) return;
  news->push_back({vm.name, "not_reclaimed",
                   fmt::format("of a balloon of {} the host does not have {}, {} of it in huge "
                               "pages that are not whole",
                               format_size(vm.figures.ballooned_bytes), format_size(kept),
                               format_size(vm.figures.stranded_bytes))});
}

void EventWatcher::forget_the_removed(std::vector<News>* news) {
  std::erase_if(known_, [this, news](const auto& entry) {
    if (entry.second.round == round_) return false;
    news->push_back({entry.first, "removed", "the daemon serves it no more"});
    return true;
  });
}

}  // namespace vballoon::service
