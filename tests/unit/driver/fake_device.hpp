// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/driver/fake_device.hpp - a device that obeys, or breaks, the rules of a virtqueue.
// Independent of lib/virtq on purpose: two readings of the spec check each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>

#include "wire/split_layout.hpp"

namespace vballoon::driver {

class FakeDevice {
 public:
  explicit FakeDevice(const virtq::SplitAreas& areas) : areas_(areas) {}

  /// The next available head.
  std::optional<std::uint16_t> take() {
    if (avail_index() == next_avail_) return std::nullopt;
    std::uint16_t head = 0;
    const std::size_t slot = next_avail_++ % areas_.size;
    std::memcpy(&head, areas_.avail + sizeof(wire::AvailHeader) + 2 * slot, sizeof(head));
    return head;
  }

  /// Writes a used element; give() shows it.
  void use(std::uint32_t id, std::uint32_t written = 0) {
    const wire::UsedElement element{id, written};
    const std::size_t slot = next_used_++ % areas_.size;
    std::memcpy(areas_.used + sizeof(wire::UsedHeader) + sizeof(element) * slot, &element,
                sizeof(element));
  }
  void give() { used_index().store(next_used_, std::memory_order_release); }
  void jump(std::uint16_t by) {
    next_used_ = static_cast<std::uint16_t>(next_used_ + by);
    give();
  }

  [[nodiscard]] wire::Descriptor descriptor(std::uint16_t i) const {
    wire::Descriptor d;
    std::memcpy(&d, areas_.descriptors + sizeof(d) * i, sizeof(d));
    return d;
  }

  [[nodiscard]] std::uint16_t avail_index() const {
    auto* const header = static_cast<wire::AvailHeader*>(static_cast<void*>(areas_.avail));
    return std::atomic_ref(header->idx).load(std::memory_order_acquire);
  }
  void suppress_kicks() {
    static_cast<wire::UsedHeader*>(static_cast<void*>(areas_.used))->flags = wire::kUsedNoNotify;
  }

 private:
  [[nodiscard]] std::atomic_ref<std::uint16_t> used_index() const {
    auto* const header = static_cast<wire::UsedHeader*>(static_cast<void*>(areas_.used));
    return std::atomic_ref(header->idx);
  }

  virtq::SplitAreas areas_;
  std::uint16_t next_avail_ = 0;
  std::uint16_t next_used_ = 0;
};

}  // namespace vballoon::driver
