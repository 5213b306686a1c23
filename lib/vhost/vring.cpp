// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/vring.hpp"

#include "vhost/rte_vhost_include.hpp"

namespace vballoon::vhost {
namespace {

std::byte* bytes_at(void* area) noexcept {
  return static_cast<std::byte*>(area);
}

/// librte_vhost has the areas of both layouts in the same three fields.
virtq::QueueAreas areas_of(const rte_vhost_vring& vring, bool packed) noexcept {
  std::byte* const descriptors = bytes_at(vring.desc);
  std::byte* const driver = bytes_at(vring.avail);
  std::byte* const device = bytes_at(vring.used);
  if (packed) return virtq::PackedAreas{descriptors, driver, device, vring.size};
  return virtq::SplitAreas{descriptors, driver, device, vring.size};
}

}  // namespace

std::optional<Vring> describe_vring(int vid, unsigned index, bool packed) noexcept {
  const auto id = static_cast<std::uint16_t>(index);
  rte_vhost_vring vring{};
  std::uint16_t base = 0;
  std::uint16_t used = 0;
  if (rte_vhost_get_vhost_vring(vid, id, &vring) != 0 ||
      rte_vhost_get_vring_base(vid, id, &base, &used) != 0 || vring.desc == nullptr ||
      vring.avail == nullptr || vring.used == nullptr) {
    return std::nullopt;
  }
  return Vring{areas_of(vring, packed), base, vring.callfd};
}

void tell_position(int vid, unsigned index, std::uint16_t position) noexcept {
  static_cast<void>(
      rte_vhost_set_vring_base(vid, static_cast<std::uint16_t>(index), position, position));
}

}  // namespace vballoon::vhost
