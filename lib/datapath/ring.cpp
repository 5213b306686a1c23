// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/ring.hpp"

#include <utility>

namespace vballoon::datapath {

Ring::Ring(virtq::Queue queue, const QueueSetup& setup,
           std::shared_ptr<const gmem::GuestMemory> memory, QueueStatus& status) noexcept
    : queue_(queue),
      call_(setup.call_fd),
      memory_(std::move(memory)),
      status_(status),
      log_(setup.log) {
  queue_.disable_kicks();
  // Whatever was used before this call file was there may have been called on the old one.
  call_.signal();
  status_.index.set(setup.index);
  status_.size.set(queue_.size());
  status_.fault.set(0);
}

Watch Ring::watch() const noexcept {
  if (queue_.fault() != virtq::QueueFault::kNone) return nothing_to_watch();
  return Watch{queue_.watched(), queue_.at_rest()};
}

std::optional<virtq::Head> Ring::pop() noexcept {
  if (next_ == end_) {
    next_ = 0;
    end_ = queue_.pop(heads_);
    status_.fault.set(static_cast<std::uint64_t>(queue_.fault()));
    if (end_ == 0) return std::nullopt;
  }
  return heads_[next_++];
}

void Ring::finish(virtq::Head head, std::uint32_t written) noexcept {
  queue_.stage(head, written);
  finished_any_ = true;
  status_.buffers.add(1);
}

virtq::Call::Sent Ring::show() noexcept {
  return queue_.publish() ? call_.signal() : virtq::Call::Sent::kNobody;
}

}  // namespace vballoon::datapath
