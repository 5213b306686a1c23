// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/large_fixture.hpp - device 13 in one process, and a driver that may send
//                                         anything.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "support/device_fixture.hpp"
#include "support/step_sink.hpp"
#include "wire/large_balloon.hpp"

namespace vballoon::datapath {

using Addresses = std::vector<std::uint64_t>;

class LargeTest : public testing::Test {
 protected:
  static constexpr unsigned kSmall = 12;
  static constexpr unsigned kHuge = 21;
  static constexpr wire::large::Config kConfig{
      .page_shift = kSmall, .node = wire::large::kAnyNode, .max_pages = 8, .size_mask = 0x201};
  static constexpr std::uint64_t kAllFeatures = 0x7f;

  explicit LargeTest(const wire::large::Config& config = kConfig,
                     reclaim::ReclaimLimits limits = kAtOnce)
      : f_(64, with_sizes(limits, config), config) {
    f_.path().set_sink(sink_);
    negotiate(kAllFeatures);
    f_.start(Role::kToDevice);
    f_.start(Role::kFromDevice);
  }

  static reclaim::ReclaimLimits with_sizes(reclaim::ReclaimLimits limits,
                                           const wire::large::Config& config) {
    for (unsigned bit = 0; bit < 32; ++bit) {
      if (((config.size_mask >> bit) & 1) == 0) continue;
      limits.sizes.shifts[limits.sizes.count++] =
          static_cast<std::uint8_t>(wire::large::kMinPageShift + bit);
    }
    return limits;
  }
  void negotiate(std::uint64_t bits) {
    f_.path().set_features(wire::Features(bits).with(wire::Feature::kVersion1));
  }

  /// The n-th page of this size behind the hole.
  [[nodiscard]] static std::uint64_t page(std::uint64_t n, unsigned shift = kHuge) {
    return DeviceFixture::kHighFirst + (n << shift);
  }

  // --- Messages -------------------------------------------------------------------------------

  using Bytes = std::vector<std::byte>;
  template <typename T>
  static void append(Bytes* bytes, const T& value) {
    const std::size_t at = bytes->size();
    bytes->resize(at + sizeof(T));
    std::memcpy(bytes->data() + at, &value, sizeof(T));
  }
  static Bytes message(const wire::large::Header& header, const Addresses& addresses = {}) {
    Bytes bytes;
    append(&bytes, header);
    for (const std::uint64_t address : addresses) append(&bytes, address);
    return bytes;
  }
  static wire::large::Header pages_of(
      unsigned shift, wire::large::MessageType type = wire::large::MessageType::kPages) {
    return {.type = type, .shift = static_cast<std::uint8_t>(shift)};
  }

  /// Two buffers of 16 KiB for each head: what the device reads, and what it writes.
  [[nodiscard]] static Gpa place(std::uint16_t head) {
    return Gpa{DeviceFixture::buffers(Role::kToDevice).value + head % 64 * 32 * kKiB};
  }
  [[nodiscard]] static Gpa answer_place(std::uint16_t head) {
    return Gpa{place(head).value + 16 * kKiB};
  }
  /// Takes the head's descriptor, and with room the next one.
  /// @param room  bytes that the device may write; none: there is no such descriptor.
  void send(std::uint16_t head, const Bytes& readable, std::uint32_t room = 0) {
    std::vector<test::Piece> pieces;
    if (!readable.empty()) std::memcpy(f_.ram().at(place(head)), readable.data(), readable.size());
    pieces.push_back({place(head), static_cast<std::uint32_t>(readable.size()), false});
    if (room != 0) pieces.push_back({answer_place(head), room, true});
    f_.ring(Role::kToDevice).send(head, pieces);
  }
  void add(std::uint16_t head, unsigned shift, const Addresses& addresses) {
    send(head, message(pages_of(shift), addresses));
  }
  void withdraw(std::uint16_t head, unsigned shift, std::uint32_t count) {
    send(head, message(pages_of(shift)), count * 8);
  }
  void release(std::uint16_t head, unsigned shift, const Addresses& addresses) {
    send(head, message(pages_of(shift, wire::large::MessageType::kRelease), addresses), 8);
  }

  // --- Answers --------------------------------------------------------------------------------

  using Used = std::vector<std::pair<std::uint32_t, std::uint32_t>>;  // head, length
  [[nodiscard]] Used collect(Role role = Role::kToDevice) {
    Used used;
    std::uint16_t& seen = seen_[static_cast<std::size_t>(role)];
    for (; seen != f_.ring(role).used_idx(); ++seen) {
      const wire::UsedElement element = f_.ring(role).used_slot(seen);
      used.emplace_back(element.id, element.len);
    }
    return used;
  }
  [[nodiscard]] Addresses handed_back(std::uint16_t head, std::uint32_t length) {
    Addresses addresses(length / 8);
    if (!addresses.empty()) {
      std::memcpy(addresses.data(), f_.ram().at(answer_place(head)), addresses.size() * 8);
    }
    return addresses;
  }
  [[nodiscard]] std::uint64_t released(std::uint16_t head) {
    return f_.ram().get<std::uint64_t>(answer_place(head));
  }

  /// Buffers for requests, each of these bytes.
  void offer_requests(std::uint16_t first, unsigned count, std::uint32_t bytes = 16) {
    for (unsigned i = 0; i < count; ++i) {
      const auto head = static_cast<std::uint16_t>(first + i);
      f_.ring(Role::kFromDevice).send(head, {{request_place(head), bytes, true}});
    }
  }
  [[nodiscard]] static Gpa request_place(std::uint16_t head) {
    return Gpa{DeviceFixture::buffers(Role::kFromDevice).value + head % 64 * 32 * kKiB};
  }
  [[nodiscard]] wire::large::Request request(std::uint16_t head) {
    return f_.ram().get<wire::large::Request>(request_place(head));
  }

  void pass() { static_cast<void>(f_.path().poll()); }
  /// Everything that has been handed over is carried out, until nothing moves.
  void settle() {
    do {
      sink_.step_all();
    } while (f_.path().poll());
  }
  [[nodiscard]] const DeviceCounters& counters() const { return f_.counters(); }
  [[nodiscard]] std::uint64_t ballooned() const {
    return pages_to_bytes(f_.counters().ballooned_pages.get());
  }

  test::StepSink sink_;
  DeviceFixture f_;

 private:
  std::array<std::uint16_t, wire::kRoles> seen_{};
};

}  // namespace vballoon::datapath
