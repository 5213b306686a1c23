// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/mailbox.hpp - how another thread asks a poll lcore for something, and waits for the answer.
// Thread: any number of senders, one receiver.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

namespace vballoon::datapath {
class DataPath;
}

namespace vballoon::lcore {

/// One letter at a time: rare, and each answered, so a slot and a lock among senders suffice. The
/// receiver never locks; an empty slot costs it one relaxed load a pass.
class Mailbox {
 public:
  enum class Kind : std::uint8_t { kAttach, kDetach };
  struct Letter {
    Kind kind = Kind::kAttach;
    datapath::DataPath* path = nullptr;
    mutable bool elsewhere = false;  // the answer: another poller has it
  };

  /// Hands a letter over and waits until it was answered. Waits on the receiver's present pass,
  /// which is bounded; never on a guest.
  void send(const Letter& letter);

  /// The receiver: the waiting letter, or null. What senders did before send() is visible.
  [[nodiscard]] const Letter* peek() const noexcept {
    if (slot_.load(std::memory_order_relaxed) == nullptr) return nullptr;
    // Pairs with the release in send().
    return slot_.load(std::memory_order_acquire);
  }

  /// The receiver: the letter was carried out; what it did is visible to the sender.
  void answer() noexcept;

 private:
  std::atomic<const Letter*> slot_{nullptr};  // set by a sender, cleared by the receiver
  std::mutex senders_;
};

}  // namespace vballoon::lcore
