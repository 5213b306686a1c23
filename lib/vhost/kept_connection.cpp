// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/kept_connection.hpp"

#include <fmt/format.h>

#include <utility>

namespace vballoon::vhost {

void KeptConnection::put(Record record, int connection, int answers) {
  if (said_.incomplete()) return fail_to_keep("a descriptor of it could not be duplicated");
  if (record.state_inode == 0) return fail_to_keep("its balloon is not kept");
  record.connected = true;
  record.settings = settings_;
  record.restarts = restarts_;
  record.said = said_.messages();
  std::vector<int> fds;
  if (door_) {
    record.door = door_->is;
    fds.push_back(door_->fd);
  }
  fds.insert(fds.end(), {connection, answers});
  said_.list(&fds);
  const auto bytes = encode(record);
  if (auto put = bag_->bag().put(bytes, fds); !put) return fail_to_keep(put.error().message);
  full_ = true;
  undecided_ = record.undecided;
  ledger_whole_ = record.ledger_whole;
}

bool KeptConnection::set_settings(std::string lines) {
  if (lines.size() > kMaxSettingsBytes) {
    notices_.warn(
        fmt::format("its settings have {} bytes, and are not for the next daemon", lines.size()));
    lines.clear();
  }
  return std::exchange(settings_, lines) != lines;
}

Record KeptConnection::device_alone() const {
  Record record;
  record.device = device_;
  record.settings = settings_;
  if (door_) record.door = door_->is;
  return record;
}

/// A record that is out of date is worse than none.
void KeptConnection::put_device() {
  full_ = false;
  std::vector<int> fds;
  if (door_) fds.push_back(door_->fd);
  if (!bag_->bag().put(encode(device_alone()), fds)) bag_->bag().empty();
}

void KeptConnection::fail_to_keep(const std::string& why) {
  put_device();
  why_not_ = why;
  if (std::exchange(told_, true)) return;
  notices_.warn(fmt::format("its VMM's connection will not outlive the daemon: {}", why));
}

std::string KeptConnection::why_not() const {
  if (!on()) return "nobody keeps it";
  if (!bag_->kept()) return "vballoon-keeper has ended";
  return full_ ? "" : why_not_;
}

void KeptConnection::end() noexcept {
  if (on()) put_device();
  told_ = false;
  restarts_ = {};
  said_ = {};
}

void KeptConnection::forget() noexcept {
  if (on()) bag_->forget();
  bag_.reset();
}

}  // namespace vballoon::vhost
