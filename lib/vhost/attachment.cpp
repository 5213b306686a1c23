// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/attachment.hpp"

#include <utility>

namespace vballoon::vhost {

void Attachment::take_back() {
  if (!std::exchange(attached_, false)) return;
  seat_.poller().detach(path_);
}

void Attachment::hand_over() {
  if (attached_ || !path_.any_running()) return;
  seat_.poller().attach(path_, seat_.worker());
  attached_ = true;
}

bool Attachment::move_to(unsigned lcore) {
  take_back();
  const bool moved = seat_.move_to(lcore);
  hand_over();
  return moved;
}

}  // namespace vballoon::vhost
