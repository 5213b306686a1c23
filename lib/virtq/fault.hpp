// SPDX-License-Identifier: BSD-3-Clause
//
// virtq/fault.hpp - the ways in which a driver can break a ring; verdicts, never exceptions.
#pragma once

#include <cstdint>
#include <string_view>

namespace vballoon::virtq {

/// A queue fault: the ring cannot be trusted any more, it is broken until the driver resets it.
enum class QueueFault : std::uint8_t {
  kNone,
  kAvailTooFar,        // the available index is further ahead than the ring is long (2.7.13.3.1)
  kHeadTooBig,         // a head names no descriptor, so it cannot be returned either
  kAvailNotUsed,       // packed: a descriptor is made available again before it was used (2.8.17)
  kChainNotAvailable,  // packed: a chain runs into what was not made available (2.8.6)
};

/// A chain fault: this buffer is bad, it is returned unused and the queue goes on.
enum class ChainFault : std::uint8_t {
  kNone,
  kNextTooBig,        // next names no descriptor of the table (2.7.5)
  kTooLong,           // more descriptors than the queue size: a loop (2.7.5.3.1)
  kNestedIndirect,    // an indirect table in an indirect table (2.7.5.3.1)
  kIndirectAndNext,   // INDIRECT and NEXT on one descriptor (2.7.5.3.1), or in one chain (2.8.21)
  kBadIndirectTable,  // its length is no multiple of 16, zero, or it is not in guest memory
  kOutsideMemory,     // the bytes of a descriptor are not all guest memory
};

[[nodiscard]] std::string_view describe(QueueFault fault) noexcept;
[[nodiscard]] std::string_view describe(ChainFault fault) noexcept;

}  // namespace vballoon::virtq
