// SPDX-License-Identifier: BSD-3-Clause
//
// control/observe.hpp - from the host's figures and the devices' reports to what a law looks at.
// Layer:  control; may include base/, device/, host/ and policy/. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/config.hpp"
#include "device/report.hpp"
#include "host/memory.hpp"
#include "policy/observation.hpp"
#include "state/device_state.hpp"

namespace vballoon::control {

/// What the operator wants of one VM.
struct VmWish {
  bool automatic = false;
  bool configured = false;  ///< automatic, as the configuration has it
  policy::Limits limits{};
};
/// @param said  by a person, if anything: it counts until the configuration says something new.
[[nodiscard]] VmWish wish_of(const DeviceConfig& device,
                             std::optional<state::AutomaticWord> said) noexcept;

/// The host's memory, and the pools that guests are bound to or backed by. Huge pages are a pool by
/// page size, and by node where the guest is bound to one. Ordinary pages are the host's; those
/// bound to a node are the node's as well.
/// @param reserve_mib  0: a tenth of the host. Huge pages have no reserve: nothing else uses them.
/// @param wishes       by name; who has none is not automatic.
[[nodiscard]] policy::Observation observe(const host::MemoryFigures& host,
                                          const std::vector<device::DeviceReport>& devices,
                                          const std::map<std::string, VmWish>& wishes,
                                          std::uint64_t reserve_mib);

}  // namespace vballoon::control
