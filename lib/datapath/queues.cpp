// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/queues.hpp"

namespace vballoon::datapath {
namespace {

template <typename Queue>
Ring* ring_of(const std::unique_ptr<Queue>& queue) noexcept {
  return queue != nullptr ? &queue->ring() : nullptr;
}

}  // namespace

Ring* Queues::ring(wire::Role role) const noexcept {
  switch (role) {
    case wire::Role::kInflate:
      return ring_of(inflate);
    case wire::Role::kDeflate:
      return ring_of(deflate);
    case wire::Role::kStats:
      return ring_of(stats);
    case wire::Role::kHint:
      return ring_of(hint);
    case wire::Role::kReport:
      return ring_of(report);
    case wire::Role::kMessage:
      return ring_of(message);
    case wire::Role::kFromDevice:
      return ring_of(from_device);
    case wire::Role::kToDevice:
      break;
  }
  return ring_of(to_device);
}

void Queues::close(wire::Role role) noexcept {
  switch (role) {
    case wire::Role::kInflate:
      return inflate.reset();
    case wire::Role::kDeflate:
      return deflate.reset();
    case wire::Role::kStats:
      return stats.reset();
    case wire::Role::kHint:
      return hint.reset();
    case wire::Role::kReport:
      return report.reset();
    case wire::Role::kMessage:
      return message.reset();
    case wire::Role::kFromDevice:
      return from_device.reset();
    case wire::Role::kToDevice:
      break;
  }
  to_device.reset();
}

}  // namespace vballoon::datapath
