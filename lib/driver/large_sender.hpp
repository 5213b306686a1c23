// SPDX-License-Identifier: BSD-3-Clause
//
// driver/large_sender.hpp - the driver's messages in todevq, and what the device writes into them.
// Thread: one owner, that of the queue.
// Source: docs/device-13.md, section 7.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "driver/driver_queue.hpp"
#include "driver/large_page_set.hpp"
#include "wire/large_balloon.hpp"

namespace vballoon::driver {

enum class MessageKind { kAdd, kWithdraw, kRelease, kStats, kState, kPressure };
inline constexpr std::size_t kMessageKinds = 6;

/// One message, before it is sent.
struct LargeMessage {
  MessageKind kind = MessageKind::kAdd;
  wire::large::Header header;
  unsigned shift = kPageShift;        ///< of its pages, also where the header says 0
  std::span<const std::byte> body{};  ///< what follows the header, readable
  std::uint32_t room = 0;             ///< what follows that, writable
  std::span<const Gpa> pages{};       ///< the same as the body, in kAdd and kRelease
};

/// One message that came back.
struct LargeAnswer {
  MessageKind kind = MessageKind::kAdd;
  unsigned shift = kPageShift;
  std::uint32_t room = 0;
  std::uint32_t written = 0;
  std::vector<Gpa> pages;   ///< kWithdraw: as the device wrote them; else as sent
  std::uint64_t count = 0;  ///< kRelease: as the device wrote it
  std::chrono::nanoseconds latency{0};
};

class LargeSender {
 public:
  /// @param depth  messages outstanding at most, at least 1.
  /// @errors kInvalidArgument when the arena is too small.
  [[nodiscard]] static Result<LargeSender> create(const GuestRam& ram, Arena& arena,
                                                  unsigned depth);

  /// Whether a message can be added now.
  [[nodiscard]] bool ready(const DriverQueue& queue) const noexcept;
  /// Adds one; the device does not see it before publish(). @pre ready().
  void add(DriverQueue& queue, const LargeMessage& message);
  /// Takes a used buffer apart. @pre it is of a message that was added here.
  [[nodiscard]] LargeAnswer settle(const Used& used);

 private:
  struct Slot {
    Gpa gpa;
    std::span<std::byte> bytes;
    LargeAnswer answer;  // as far as it is known before
    std::size_t readable = 0;
  };

  explicit LargeSender(std::vector<Slot> slots);

  std::vector<Slot> slots_;
  std::vector<std::uint64_t> free_;  // slots
};

}  // namespace vballoon::driver
