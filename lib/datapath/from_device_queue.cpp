// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/from_device_queue.hpp"

#include <span>
#include <utility>

#include "datapath/buffer_writer.hpp"

namespace vballoon::datapath {

using wire::large::Request;
using wire::large::RequestType;

FromDeviceQueue::FromDeviceQueue(Ring ring, const DeviceContext& context, Requests& requests,
                                 StatsExchange& stats, bool resumed) noexcept
    : DeviceQueue(std::move(ring), context), requests_(requests), stats_(stats) {
  if (resumed) return;
  // DEV-24. What the driver before was asked of itself is not asked of this one.
  requests_.told.store(requests_.targets.load(std::memory_order_relaxed) - 1,
                       std::memory_order_relaxed);
  stats_.answer_all();
}

void FromDeviceQueue::serve() noexcept {
  for (std::uint32_t hops = 0; hops < kHopsPerPass && asks();) {
    const auto head = ring_.pop();
    if (!head) return;
    hops += answer(*head);
  }
}

/// A buffer that is too short comes back with nothing in it: buffers are used in order.
/// @return the descriptors that it took.
std::uint32_t FromDeviceQueue::answer(virtq::Head head) noexcept {
  BufferWriter writer(ring_, head);
  if (writer.room(sizeof(Request)) < sizeof(Request)) {
    context_.counters.short_buffers.add(1);
    ring_.finish(head);
    return 1 + writer.hops();
  }
  const Request request = next();
  static_cast<void>(writer.write(std::as_bytes(std::span(&request, 1))));
  ring_.finish(head, sizeof(Request));
  return 1 + 2 * writer.hops();
}

/// @pre asks()
Request FromDeviceQueue::next() noexcept {
  const bool tells = context_.has(wire::large::Feature::kState);
  Request request;
  if (target_due()) {
    // Before the target is read: whoever raises it has set the target.
    const std::uint64_t told = requests_.targets.load(std::memory_order_acquire);
    static_cast<void>(requests_.next_serial());
    requests_.told.store(told, std::memory_order_release);
    request.value = context_.config.target_units();
    if (tells) {
      request.effort =
          static_cast<wire::large::Effort>(requests_.effort.load(std::memory_order_relaxed));
    }
  } else {
    stats_.answer_all();
    request.type = RequestType::kStats;
  }
  if (tells) request.serial = static_cast<std::uint32_t>(requests_.serial.get());
  return request;
}

}  // namespace vballoon::datapath
