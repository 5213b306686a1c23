// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/driver/fake_packed_device.hpp - the same for a packed virtqueue, from the letter of
// VIRTIO 1.2, 2.8. Independent of lib/virtq's queue and of the driver's own ring on purpose.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "driver/driver_queue.hpp"
#include "wire/packed_layout.hpp"

namespace vballoon::driver {

class FakePackedDevice {
 public:
  struct Taken {
    std::uint16_t id = 0;
    std::vector<wire::PackedDescriptor> chain;
  };

  explicit FakePackedDevice(const DriverQueue& queue)
      : place_(queue.place()), size_(queue.size()) {}

  /// The next available buffer.
  std::optional<Taken> take() {
    if (!available()) return std::nullopt;
    Taken taken;
    do {
      const wire::PackedDescriptor d = descriptor(next_);
      taken.chain.push_back(d);
      taken.id = d.id;
      step(&next_, &wrap_, 1);
    } while ((taken.chain.back().flags & wire::kDescNext) != 0);
    return taken;
  }

  /// Writes one used descriptor and goes on by the length of what is returned.
  void use(std::uint16_t id, std::size_t length, std::uint32_t written = 0) {
    wire::PackedDescriptor d = descriptor(used_);
    d.id = id;
    d.len = written;
    std::memcpy(at(used_), &d, 14);
    const auto flags =
        static_cast<std::uint16_t>((used_wrap_ ? 0x8080 : 0) | (written != 0 ? 2 : 0));
    flags_at(used_).store(flags, std::memory_order_release);
    step(&used_, &used_wrap_, static_cast<unsigned>(length));
  }

  [[nodiscard]] wire::PackedDescriptor descriptor(unsigned i) const {
    wire::PackedDescriptor d;
    std::memcpy(&d, at(i), sizeof(d));
    return d;
  }
  void suppress_kicks() { place_.device[2] = std::byte{1}; }
  [[nodiscard]] bool calls_suppressed() const { return place_.driver[2] == std::byte{1}; }

 private:
  [[nodiscard]] std::byte* at(unsigned i) const { return place_.descriptors + std::size_t{16} * i; }
  [[nodiscard]] std::atomic_ref<std::uint16_t> flags_at(unsigned i) const {
    return std::atomic_ref(*static_cast<std::uint16_t*>(static_cast<void*>(at(i) + 14)));
  }
  [[nodiscard]] bool available() const {
    const std::uint16_t flags = flags_at(next_).load(std::memory_order_acquire);
    return ((flags & 0x80) != 0) == wrap_ && ((flags & 0x8000) != 0) != wrap_;
  }
  void step(unsigned* index, bool* wrap, unsigned by) const {
    *index += by;
    if (*index < size_) return;
    *index -= size_;
    *wrap = !*wrap;
  }

  RingPlace place_;
  unsigned size_;
  unsigned next_ = 0;
  bool wrap_ = true;
  unsigned used_ = 0;
  bool used_wrap_ = true;
};

}  // namespace vballoon::driver
