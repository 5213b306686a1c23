// SPDX-License-Identifier: BSD-3-Clause
#include "driver/request_buffers.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.hpp"

namespace vballoon::driver {
namespace {

using wire::large::Request;

/// Two cache lines apart, so that no two buffers share one.
constexpr std::uint64_t kStride = 128;
/// Of what the device did not write, in a buffer that it returns.
constexpr std::byte kUnwritten{0xA5};

}  // namespace

Result<RequestBuffers> RequestBuffers::create(const GuestRam& ram, Arena& arena,
                                              const RequestShape& shape) {
  VB_CHECK(shape.bytes > 0 && shape.bytes <= kStride);
  const std::uint64_t bytes = std::max<std::uint64_t>(shape.buffers, 1) * kStride;
  return arena.take(bytes, kStride).map([&](Gpa gpa) {
    return RequestBuffers(shape, gpa, ram.at(gpa, bytes));
  });
}

std::span<std::byte> RequestBuffers::of(std::uint64_t buffer) const {
  return bytes_.subspan(buffer * kStride, kStride);
}

void RequestBuffers::offer(DriverQueue& queue, std::uint64_t buffer) {
  std::ranges::fill(of(buffer), kUnwritten);
  const std::array<Segment, 1> segment{
      Segment{Gpa{gpa_.value + buffer * kStride}, shape_.bytes, shape_.writable}};
  VB_CHECK(queue.add(segment, buffer).has_value());
}

void RequestBuffers::prime(DriverQueue& queue) {
  for (unsigned buffer = 0; buffer < shape_.buffers; ++buffer) offer(queue, buffer);
  queue.publish();
}

std::optional<Request> RequestBuffers::accept(DriverQueue& queue, const Used& used,
                                              Violations* violations) {
  Request request;
  std::memcpy(&request, of(used.cookie).data(), sizeof(request));
  const bool whole = used.written == sizeof(request);
  if (!whole) ++violations->bad_length;
  offer(queue, used.cookie);
  queue.publish();
  return whole ? std::optional(request) : std::nullopt;
}

}  // namespace vballoon::driver
