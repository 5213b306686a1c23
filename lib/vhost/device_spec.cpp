// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/device_spec.hpp"

#include "base/group.hpp"

namespace vballoon::vhost {

Result<DeviceSpec> DeviceSpec::of(const vm::Settings& settings, std::optional<gid_t> others) {
  const auto named = find_group(settings.group, "device.group");
  if (!named) return tl::unexpected(named.error());
  return DeviceSpec{settings, *named ? *named : others};
}

wire::Features DeviceSpec::offered() const noexcept {
  using wire::Feature;
  const auto all = message_queue ? wire::kOfferedWithMessages : wire::kOffered;
  const auto rings = packed ? all : all.without(Feature::kRingPacked);
  const auto chains = indirect ? rings.with(Feature::kIndirectDesc) : rings;
  return page_poison ? chains.with(Feature::kPagePoison) : chains;
}

}  // namespace vballoon::vhost
