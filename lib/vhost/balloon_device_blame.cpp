// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_blame.cpp - a device whose VM crashed the daemon is set aside, until the
//                                  operator wants it served again.
#include "base/log.hpp"
#include "vhost/balloon_device.hpp"

namespace vballoon::vhost {

void BalloonDevice::answer_for_crashes(keep::CrashPage& page) {
  const std::scoped_lock lock(mutex_);
  Blame& blame = parts_.blame;
  const datapath::DataPath& path = parts_.balloon.path();
  blame.keep_in(page, {this, &path, path.batches()});
  if (const std::string news = blame.judge(); !news.empty()) {
    log::error("{}: {}", parts_.spec.name, news);
  }
}

/// Its rings go on where they were left. Where librte_vhost may be changing them just now, they go
/// on after the message that it is at, or else with the next one.
Result<void> BalloonDevice::readmit() {
  const auto lock = knock();
  if (!lock) return busy();
  const bool served = parts_.blame.why_not_served().empty();
  parts_.blame.readmit();
  if (served) return {};
  parts_.notices.note("is served again, by the operator's word");
  parts_.target.notify();
  if (acting_) return {};
  parts_.rings.resume();
  parts_.notify_if_due();
  return {};
}

}  // namespace vballoon::vhost
