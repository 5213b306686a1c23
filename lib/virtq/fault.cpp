// SPDX-License-Identifier: BSD-3-Clause
#include "virtq/fault.hpp"

namespace vballoon::virtq {

std::string_view describe(QueueFault fault) noexcept {
  switch (fault) {
    case QueueFault::kNone:
      return "";
    case QueueFault::kAvailTooFar:
      return "the available index is further ahead than the ring is long";
    case QueueFault::kHeadTooBig:
      return "an available entry names a descriptor beyond the table";
    case QueueFault::kAvailNotUsed:
      return "a descriptor was made available again before it was used";
    case QueueFault::kChainNotAvailable:
      return "a chain runs on into descriptors that are not available";
  }
  return "unknown";
}

std::string_view describe(ChainFault fault) noexcept {
  switch (fault) {
    case ChainFault::kNone:
      return "";
    case ChainFault::kNextTooBig:
      return "next points beyond the descriptor table";
    case ChainFault::kTooLong:
      return "a chain is longer than the queue: it loops";
    case ChainFault::kNestedIndirect:
      return "an indirect table inside an indirect table";
    case ChainFault::kIndirectAndNext:
      return "INDIRECT and NEXT on one descriptor";
    case ChainFault::kBadIndirectTable:
      return "an indirect table of a bad length or outside memory";
    case ChainFault::kOutsideMemory:
      return "a buffer outside guest memory";
  }
  return "unknown";
}

}  // namespace vballoon::virtq
