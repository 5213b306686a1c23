// SPDX-License-Identifier: BSD-3-Clause
//
// driver/stats_responder.hpp - answers the device's requests for memory statistics.
// Thread: one owner, that of the queue.
// Source: VIRTIO 1.2, 5.5.6.3: the driver gives one buffer at once; the device returns it to ask
//         for fresh figures, and the driver gives it again with them.
#pragma once

#include <cstdint>
#include <vector>

#include "driver/driver_queue.hpp"

namespace vballoon::driver {

/// Any tag is legal; the spec's are 0 to 9, Linux 6.12 sends up to 15.
struct StatEntry {
  std::uint16_t tag = 0;
  std::uint64_t value = 0;
};

class StatsResponder {
 public:
  static constexpr std::size_t kMaxEntries = 64;

  /// @errors kInvalidArgument when the arena is too small.
  [[nodiscard]] static Result<StatsResponder> create(const GuestRam& ram, Arena& arena);

  /// The figures of the next answers. Entries beyond kMaxEntries are left out.
  void set(std::vector<StatEntry> entries) { entries_ = std::move(entries); }

  /// Gives the first buffer. @pre The queue has a free descriptor.
  void prime(DriverQueue& queue);
  /// Answers a request if there is one. @return whether there was.
  bool serve(DriverQueue& queue);

  [[nodiscard]] std::uint64_t answered() const noexcept { return answered_; }

 private:
  StatsResponder(Gpa gpa, std::span<std::byte> bytes) : gpa_(gpa), bytes_(bytes) {}

  Gpa gpa_;
  std::span<std::byte> bytes_;
  std::vector<StatEntry> entries_;
  std::uint64_t answered_ = 0;
};

}  // namespace vballoon::driver
