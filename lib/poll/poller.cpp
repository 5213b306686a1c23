// SPDX-License-Identifier: BSD-3-Clause
#include "poll/poller.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace vballoon::poll {

Poller::Poller(unsigned lcore, IdleStrategy idle) : idle_(idle), lcore_(lcore) {}

void Poller::attach(device::DataPath& path) { mailbox_.send({Mailbox::Kind::kAttach, &path}); }

void Poller::detach(device::DataPath& path) { mailbox_.send({Mailbox::Kind::kDetach, &path}); }

void Poller::run() {
  while (!stopping_.load(std::memory_order_relaxed)) {
    read_mail();
    const bool worked = pass();
    counters_.passes.add(1);
    if (worked) counters_.busy_passes.add(1);
    if (idle_.after_pass(worked)) counters_.sleeps.add(1);
  }
}

bool Poller::pass() noexcept {
  bool worked = false;
  for (device::DataPath* path : paths_) worked |= path->poll();
  return worked;
}

void Poller::read_mail() {
  const Mailbox::Letter* letter = mailbox_.peek();
  if (letter == nullptr) return;
  const auto at = std::find(paths_.begin(), paths_.end(), letter->path);
  if (letter->kind == Mailbox::Kind::kAttach) {
    VB_CHECK(at == paths_.end());
    paths_.push_back(letter->path);
  } else {
    VB_CHECK(at != paths_.end());
    *at = paths_.back();
    paths_.pop_back();
  }
  device_count_.store(paths_.size(), std::memory_order_relaxed);
  mailbox_.answer();
}

}  // namespace vballoon::poll
