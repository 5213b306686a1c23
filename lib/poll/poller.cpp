// SPDX-License-Identifier: BSD-3-Clause
#include "poll/poller.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/clock.hpp"

namespace vballoon::poll {

Poller::Poller(unsigned lcore, IdleStrategy idle, reclaim::Discarder& discarder)
    : idle_(idle), inline_sink_(discarder), lcore_(lcore) {}

void Poller::use_engine(reclaim::Engine& engine, unsigned lane) noexcept {
  engine_ = &engine;
  lane_ = lane;
}

void Poller::attach(device::DataPath& path, unsigned worker) {
  path.set_sink(engine_ != nullptr ? engine_->sink(lane_, worker) : inline_sink_);
  mailbox_.send({Mailbox::Kind::kAttach, &path});
}

void Poller::detach(device::DataPath& path) {
  mailbox_.send({Mailbox::Kind::kDetach, &path});
}

void Poller::run() {
  idle_.begin();
  while (!stopping_.load(std::memory_order_relaxed)) {
    read_mail();
    const Found found = pass();
    counters_.passes.add(1);
    if (found != Found::kNothing) counters_.busy_passes.add(1);
    if (idle_.after_pass(found)) counters_.sleeps.add(1);
  }
}

Found Poller::pass() noexcept {
  const bool collected = engine_ != nullptr && engine_->collect(lane_) != 0;
  Found found = collected ? Found::kStream : Found::kNothing;
  // Most passes need no clock: whatever is half done is due at 0.
  const std::uint64_t now = std::exchange(clocked_, false) ? now_us() : 0;
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].look_again_us <= now || anything_new(slot)) {
      found = std::max(found, serve(slot));
    }
    clocked_ |= slots_[slot].look_again_us != device::DataPath::kNever;
  }
  return found;
}

bool Poller::anything_new(std::size_t slot) const noexcept {
  const device::Watch* watch = &watches_[slot * kWatches];
  bool changed = false;
  // Without a branch between the loads, so that they miss the cache together.
  for (std::size_t i = 0; i < kWatches; ++i) changed |= watch[i].changed();
  return changed;
}

Found Poller::serve(std::size_t slot) noexcept {
  // In this order: a request that the watch takes for seen is one that look_again_us() still finds.
  device::DataPath& path = *slots_[slot].path;
  const bool worked = path.poll();
  path.watch(watches_of(slot));
  slots_[slot].look_again_us = path.look_again_us();
  if (!worked) return Found::kNothing;
  return path.lone() ? Found::kLone : Found::kStream;
}

std::span<device::Watch, Poller::kWatches> Poller::watches_of(std::size_t slot) noexcept {
  return std::span<device::Watch, kWatches>(&watches_[slot * kWatches], kWatches);
}

void Poller::add(device::DataPath& path) {
  slots_.push_back(Slot{&path, 0});
  watches_.resize(slots_.size() * kWatches);
  path.watch(watches_of(slots_.size() - 1));
}

/// @return false when it is not here.
bool Poller::remove(device::DataPath& path) {
  const auto at = std::find_if(slots_.begin(), slots_.end(),
                               [&path](const Slot& slot) { return slot.path == &path; });
  if (at == slots_.end()) return false;
  const auto hole = static_cast<std::size_t>(at - slots_.begin());
  const auto last = watches_of(slots_.size() - 1);
  std::copy(last.begin(), last.end(), watches_of(hole).begin());
  *at = slots_.back();
  slots_.pop_back();
  watches_.resize(slots_.size() * kWatches);
  return true;
}

void Poller::read_mail() {
  const Mailbox::Letter* letter = mailbox_.peek();
  if (letter == nullptr || !answered(*letter)) return;
  device_count_.store(slots_.size(), std::memory_order_relaxed);
  mailbox_.answer();
}

/// @return false while a path that is to leave still has something on its way.
bool Poller::answered(const Mailbox::Letter& letter) {
  if (letter.kind == Mailbox::Kind::kAttach) {
    add(*letter.path);
    return true;
  }
  if (remove(*letter.path)) leaving_ = letter.path;
  VB_CHECK(leaving_ == letter.path);
  if (!leaving_->quiesce()) return false;
  leaving_ = nullptr;
  return true;
}

}  // namespace vballoon::poll
