// SPDX-License-Identifier: BSD-3-Clause
//
// driver/request_buffers.hpp - the driver's buffers in fromdevq, and what the device writes there.
// Thread: one owner, that of the queue.
// Source: docs/device-13.md, section 6; DEV-4, DRV-3 to DRV-6.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "driver/driver_queue.hpp"
#include "wire/large_balloon.hpp"

namespace vballoon::driver {

/// How a driver's buffers are; others than these are for tests of what a device makes of them.
struct RequestShape {
  unsigned buffers = 2;
  std::uint32_t bytes = sizeof(wire::large::Request);
  bool writable = true;
};

class RequestBuffers {
 public:
  /// @errors kInvalidArgument when the arena is too small.
  [[nodiscard]] static Result<RequestBuffers> create(const GuestRam& ram, Arena& arena,
                                                     const RequestShape& shape);

  /// Makes all of them available. @pre the queue is new, and has room for them.
  void prime(DriverQueue& queue);
  /// The request in a used buffer, which becomes available again.
  /// @return nothing for one that is shorter than a request: that is counted.
  [[nodiscard]] std::optional<wire::large::Request> accept(DriverQueue& queue, const Used& used,
                                                           Violations* violations);

 private:
  RequestBuffers(const RequestShape& shape, Gpa gpa, std::span<std::byte> bytes)
      : shape_(shape), gpa_(gpa), bytes_(bytes) {}
  void offer(DriverQueue& queue, std::uint64_t buffer);
  [[nodiscard]] std::span<std::byte> of(std::uint64_t buffer) const;

  RequestShape shape_;
  Gpa gpa_;
  std::span<std::byte> bytes_;
};

}  // namespace vballoon::driver
