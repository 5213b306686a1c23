// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/kept_connection.hpp"

#include <fmt/format.h>

#include <utility>

namespace vballoon::vhost {

void KeptConnection::put(Record record, int connection, int answers) {
  if (said_.incomplete()) return fail_to_keep("a descriptor of it could not be duplicated");
  if (record.state_inode == 0) return fail_to_keep("its balloon is not kept");
  record.restores = restores_;
  record.said = said_.messages();
  std::vector<int> fds{connection, answers};
  said_.list(&fds);
  const auto bytes = encode(record);
  if (auto put = bag_->bag().put(bytes, fds); !put) return fail_to_keep(put.error().message);
  full_ = true;
  undecided_ = record.undecided;
  ledger_whole_ = record.ledger_whole;
}

/// A record that is out of date is worse than none.
void KeptConnection::fail_to_keep(const std::string& why) {
  bag_->bag().empty();
  full_ = false;
  if (std::exchange(told_, true)) return;
  notices_.warn(fmt::format("its VMM's connection will not outlive the daemon: {}", why));
}

void KeptConnection::end() noexcept {
  if (on()) bag_->bag().empty();
  full_ = false;
  told_ = false;
  restores_ = 0;
  said_ = {};
}

void KeptConnection::forget() noexcept {
  if (on()) bag_->forget();
  bag_.reset();
}

}  // namespace vballoon::vhost
