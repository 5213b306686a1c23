// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/mailbox.hpp"

namespace vballoon::lcore {

void Mailbox::send(const Letter& letter) {
  const std::scoped_lock lock(senders_);
  slot_.store(&letter, std::memory_order_release);
  slot_.wait(&letter, std::memory_order_acquire);  // pairs with the release in answer()
}

void Mailbox::answer() noexcept {
  slot_.store(nullptr, std::memory_order_release);
  slot_.notify_one();
}

}  // namespace vballoon::lcore
