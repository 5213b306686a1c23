// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/mailbox.hpp - how another thread asks a poll lcore for an action and waits for the answer.
// Thread: any number of senders, one receiver.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

namespace vballoon::datapath {
class DataPath;
}

namespace vballoon::lcore {

/// Letters are rare and each is answered. So one slot and a lock among senders suffice. The
/// receiver takes no lock; an empty slot costs it one relaxed load a pass.
class Mailbox {
 public:
  enum class Kind : std::uint8_t { kAttach, kDetach };
  struct Letter {
    Kind kind = Kind::kAttach;
    datapath::DataPath* path = nullptr;
    mutable bool elsewhere = false;  // the answer: another poller serves the device
  };

  /// Puts the letter into the slot and waits for the answer. The wait depends on the receiver's
  /// passes and, for kDetach, on batches that are on their way; both are bounded. It never depends
  /// on a guest.
  void send(const Letter& letter);

  /// The receiver. @return the letter in the slot, or null. All that its sender did before send()
  /// is visible to the receiver.
  [[nodiscard]] const Letter* peek() const noexcept {
    if (slot_.load(std::memory_order_relaxed) == nullptr) return nullptr;
    // Pairs with the release in send().
    return slot_.load(std::memory_order_acquire);
  }

  /// The receiver calls it when the letter's action is done. All that the receiver did before is
  /// visible to the sender.
  void answer() noexcept;

 private:
  std::atomic<const Letter*> slot_{nullptr};  // set by a sender, cleared by the receiver
  std::mutex senders_;
};

}  // namespace vballoon::lcore
