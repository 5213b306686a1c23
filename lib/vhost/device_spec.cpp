// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/device_spec.hpp"

#include <charconv>

#include "base/group.hpp"

namespace vballoon::vhost {

Result<DeviceSpec> DeviceSpec::of(const vm::Settings& settings, std::optional<gid_t> others) {
  const auto named = find_group(settings.group, "device.group");
  if (!named) return tl::unexpected(named.error());
  return DeviceSpec{settings, *named ? *named : others};
}

reclaim::PageShifts DeviceSpec::page_shifts() const noexcept {
  reclaim::PageShifts shifts;
  if (dialect() != wire::Dialect::kLarge) return shifts;
  const auto add = [&](const char* size, std::uint8_t shift) {
    if (page_sizes.find(size) != std::string::npos) shifts.shifts[shifts.count++] = shift;
  };
  add("4K", 12);
  add("2M", 21);
  add("1G", 30);
  return shifts;
}

std::optional<wire::large::Config> DeviceSpec::large_config() const noexcept {
  const reclaim::PageShifts sizes = page_shifts();
  if (sizes.count == 0) return std::nullopt;
  wire::large::Config config;
  config.page_shift = sizes.shifts[0];
  config.max_pages = wire::large::kMaxPages;
  for (unsigned i = 0; i < sizes.count; ++i) {
    config.size_mask |= std::uint32_t{1} << (sizes.shifts[i] - wire::large::kMinPageShift);
  }
  if (!node.empty()) std::from_chars(node.data(), node.data() + node.size(), config.node);
  return config;
}

/// Of device 13's own bits. NODE only where there is one.
wire::Features DeviceSpec::offered_large() const noexcept {
  using wire::large::Feature;
  std::uint64_t bits = wire::kOfferedTransport.bits();
  for (const Feature feature : {Feature::kSizes, Feature::kNodeStats, Feature::kPressure,
                                Feature::kDeflateOnOom, Feature::kRelease, Feature::kState}) {
    bits |= wire::large::bit(feature);
  }
  if (!node.empty()) bits |= wire::large::bit(Feature::kNode);
  return wire::Features(bits);
}

wire::Features DeviceSpec::offered_stock() const noexcept {
  const auto all = message_queue ? wire::kOfferedWithMessages : wire::kOffered;
  return page_poison ? all.with(wire::Feature::kPagePoison) : all;
}

wire::Features DeviceSpec::offered() const noexcept {
  using wire::Feature;
  const auto all = dialect() == wire::Dialect::kLarge ? offered_large() : offered_stock();
  const auto rings = packed ? all : all.without(Feature::kRingPacked);
  return indirect ? rings.with(Feature::kIndirectDesc) : rings;
}

}  // namespace vballoon::vhost
