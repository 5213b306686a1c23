// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/poller.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/clock.hpp"
#include "lcore/crew.hpp"

namespace vballoon::lcore {

Poller::Poller(unsigned lcore, IdleStrategy idle, reclaim::Discarder& discarder)
    : idle_(idle), discarder_(&discarder), lcore_(lcore) {}

/// Reserves room for the one device: nothing may be allocated while a seat changes threads.
Poller::Poller() : idle_(IdleStrategy::kBackoff), discarder_(nullptr), lcore_(0) {
  slots_.reserve(1);
  watches_.reserve(1);
}

void Poller::attach(datapath::DataPath& path, unsigned worker) {
  if (engine_ != nullptr) {
    path.set_sink(engine_->sink(worker));
  } else {
    path.discard_by_itself(*discarder_);
  }
  const bool slow = crew_ != nullptr && path.conduct()->slow(now_ms());
  if (slow && crew_->serve_alone(path)) return;
  path.carried_by(this);
  path.conduct()->alone.store(false, std::memory_order_relaxed);
  mailbox_.send({.kind = Mailbox::Kind::kAttach, .path = &path});
}

void Poller::detach(datapath::DataPath& path) {
  path.conduct()->leaving.store(true, std::memory_order_relaxed);
  for (;;) {
    auto* const carrier = static_cast<Poller*>(path.carrier());
    const Mailbox::Letter letter{.kind = Mailbox::Kind::kDetach, .path = &path};
    carrier->mailbox_.send(letter);
    if (!letter.elsewhere) break;
  }
  path.carried_by(nullptr);
  path.conduct()->leaving.store(false, std::memory_order_relaxed);
  path.conduct()->alone.store(false, std::memory_order_relaxed);
}

void Poller::run(Tenure& tenure) noexcept {
  idle_.begin();
  take_over();
  while (!done()) {
    if (!read_mail(tenure)) return;
    const auto found = pass(tenure);
    if (!found) return;
    counters_.passes.add(1);
    if (*found != Found::kNothing) counters_.busy_passes.add(1);
    if (idle_.after_pass(*found)) counters_.sleeps.add(1);
  }
}

bool Poller::done() const noexcept {
  if (stopping_.load(std::memory_order_relaxed)) return true;
  const bool alone = discarder_ == nullptr;
  return alone && slots_.empty() && leaving_ == nullptr;
}

void Poller::part_with(const void* whose, Parting* parting) noexcept {
  // The thread that entered this data path stands still in there, so the data path is still here.
  parted_ = static_cast<datapath::DataPath*>(const_cast<void*>(whose));
  parting->conduct = parted_->conduct();
  parting->rings.adopt(*parted_);
  parting->goes_on_with = &parting->rings;
}

void Poller::adopt(datapath::DataPath& path) noexcept {
  adopted_ = &path;
  path.conduct()->alone.store(true, std::memory_order_relaxed);
  path.carried_by(this);
}

/// Applies what the guard did while no thread had this post.
void Poller::take_over() {
  if (datapath::DataPath* const gone = std::exchange(parted_, nullptr)) {
    remove(*gone);
    if (leaving_ == gone) leaving_ = nullptr;
  }
  if (datapath::DataPath* const come = std::exchange(adopted_, nullptr)) add(*come);
  // Another thread served these data paths here until now.
  for (const Slot& slot : slots_) slot.path->owner().take();
  if (leaving_ != nullptr) leaving_->owner().take();
  device_count_.store(slots_.size(), std::memory_order_relaxed);
}

namespace {

/// There is no branch between the loads, so that their cache misses overlap.
template <typename Watches>
bool anything_new(const Watches& watches) noexcept {
  bool changed = false;
  for (const datapath::Watch& watch : watches) changed |= watch.changed();
  return changed;
}

}  // namespace

/// Between enter() and leave() a read of the VM's memory may take seconds, and another thread may
/// have this post by then. So the code in between touches nothing of the post; the watches are
/// copied beforehand.
/// @return nothing where the tenure ended.
std::optional<Found> Poller::pass(Tenure& tenure) noexcept {
  Pass pass;
  // Most passes need no clock: a device with something half done is due at 0.
  if (clocked_) pass.now_us = now_us();
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    const std::uint64_t due_us = slots_[slot].look_again_us;
    const Watches watches = watches_[slot];
    tenure.enter(slots_[slot].path);
    if (due_us > pass.now_us && !anything_new(watches)) [[likely]] {
      if (!tenure.leave()) return std::nullopt;
      pass.clocked |= due_us != datapath::DataPath::kNever;
    } else if (!tenure.leave() || !serve(slot, tenure, &pass)) {
      return std::nullopt;
    }
  }
  clocked_ = pass.clocked;
  return pass.found;
}

/// @return false where the tenure ended.
bool Poller::serve(std::size_t slot, Tenure& tenure, Pass* pass) noexcept {
  datapath::DataPath& path = *slots_[slot].path;
  tenure.enter(&path);
  // First watch(), then look_again_us(): a request that watch() already takes for seen makes
  // look_again_us() answer "at once".
  const bool worked = path.poll();
  Watches watches;
  path.watch(watches);
  const std::uint64_t again_us = path.look_again_us();
  const bool lone = worked && path.lone();
  if (!tenure.leave()) return false;
  watches_[slot] = watches;
  slots_[slot].look_again_us = again_us;
  pass->clocked |= again_us != datapath::DataPath::kNever;
  if (worked) pass->found = std::max(pass->found, lone ? Found::kLone : Found::kStream);
  return true;
}

/// The watches never change and the slot is due at 0: so the next pass polls the device, after
/// enter().
void Poller::add(datapath::DataPath& path) {
  path.owner().take();
  slots_.push_back(Slot{&path, 0});
  watches_.emplace_back().fill(datapath::nothing_to_watch());
}

/// @return false when the data path is not here.
bool Poller::remove(datapath::DataPath& path) {
  const auto at = std::find_if(slots_.begin(), slots_.end(),
                               [&path](const Slot& slot) { return slot.path == &path; });
  if (at == slots_.end()) return false;
  watches_[static_cast<std::size_t>(at - slots_.begin())] = watches_.back();
  watches_.pop_back();
  *at = slots_.back();
  slots_.pop_back();
  return true;
}

/// @return false where the tenure ended.
bool Poller::read_mail(Tenure& tenure) {
  const Mailbox::Letter* letter = mailbox_.peek();
  if (letter == nullptr) return true;
  const auto answer = answered(*letter, tenure);
  if (!answer) return false;
  if (!*answer) return true;
  device_count_.store(slots_.size(), std::memory_order_relaxed);
  mailbox_.answer();
  return true;
}

/// @return false while the path that is to be detached still has a batch on its way or a buffer
///         held; nothing where the tenure ended.
std::optional<bool> Poller::answered(const Mailbox::Letter& letter, Tenure& tenure) {
  // The device may have moved to a poller of its own since the letter was written.
  letter.elsewhere = letter.path->carrier() != this;
  if (letter.elsewhere) return true;
  if (letter.kind == Mailbox::Kind::kAttach) {
    add(*letter.path);
    return true;
  }
  if (remove(*letter.path)) leaving_ = letter.path;
  VB_CHECK(leaving_ == letter.path);
  datapath::DataPath& leaving = *leaving_;
  tenure.enter(&leaving);
  const bool quiet = leaving.quiesce();
  if (!tenure.leave()) return std::nullopt;
  if (!quiet) return false;
  leaving.owner().release();
  leaving_ = nullptr;
  return true;
}

}  // namespace vballoon::lcore
