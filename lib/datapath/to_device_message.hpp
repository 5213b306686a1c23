// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/to_device_message.hpp - one message of todevq, copied out of guest memory.
// Source: docs/device-13.md, 7; DEV-16.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "datapath/ring.hpp"
#include "wire/large_balloon.hpp"

namespace vballoon::datapath {

class ToDeviceMessage {
 public:
  /// Longer than any message that means something.
  static constexpr std::size_t kMost =
      sizeof(wire::large::Header) + wire::large::kMaxPages * wire::large::kAddressBytes;

  ToDeviceMessage() noexcept = default;
  /// Guest bytes are copied once; those beyond kMost are counted only.
  void read(const Ring& ring, virtq::Head head) noexcept;

  [[nodiscard]] bool has_header() const noexcept {
    return readable_ >= sizeof(wire::large::Header);
  }
  [[nodiscard]] const wire::large::Header& header() const noexcept { return header_; }

  /// Whole addresses behind the header, also those that were not copied.
  [[nodiscard]] std::uint64_t addresses() const noexcept {
    return (readable_ - sizeof(wire::large::Header)) / wire::large::kAddressBytes;
  }
  /// Whole addresses that the device may write.
  [[nodiscard]] std::uint64_t room() const noexcept {
    return writable_ / wire::large::kAddressBytes;
  }
  /// @pre i < addresses(), kMaxPages
  [[nodiscard]] std::uint64_t address(std::size_t i) const noexcept {
    return get<std::uint64_t>(i * wire::large::kAddressBytes);
  }
  /// Whole ones of T behind the header that were copied.
  template <typename T>
  [[nodiscard]] std::size_t whole() const noexcept {
    return body_ / sizeof(T);
  }
  /// The one at this offset behind the header. @pre it was copied
  template <typename T>
  [[nodiscard]] T get(std::size_t offset) const noexcept {
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }

  [[nodiscard]] virtq::ChainFault fault() const noexcept { return fault_; }
  /// What it has cost of a pass: descriptors.
  [[nodiscard]] std::uint32_t hops() const noexcept { return hops_; }

 private:
  wire::large::Header header_;
  std::uint64_t readable_ = 0;
  std::uint64_t writable_ = 0;
  std::size_t body_ = 0;  // bytes behind the header that are copied
  std::uint32_t hops_ = 0;
  virtq::ChainFault fault_ = virtq::ChainFault::kNone;
  std::array<std::byte, kMost> bytes_;  // behind the header; [0, body_) are set
};

}  // namespace vballoon::datapath
