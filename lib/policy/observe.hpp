// SPDX-License-Identifier: BSD-3-Clause
//
// policy/observe.hpp - from the host's figures and the devices' reports to what a law looks at.
// Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policy/host/memory.hpp"
#include "policy/observation.hpp"
#include "vm/report.hpp"
#include "vm/settings.hpp"
#include "vm/state/device_state.hpp"

namespace vballoon::policy {

/// What the operator wants of one VM.
struct VmWish {
  bool automatic = false;
  bool configured = false;  ///< automatic, as the configuration has it
  policy::Limits limits{};
};
[[nodiscard]] policy::Limits limits_of(const vm::Settings& settings) noexcept;
/// @param said  by a person, if anything: it counts until the configuration says something new.
[[nodiscard]] VmWish wish_of(const vm::Settings& device,
                             std::optional<vm::AutomaticWord> said) noexcept;

/// The host's memory, and the pools that guests are bound to or backed by. Huge pages are a pool by
/// page size, and by node where the guest is bound to one. Ordinary pages are the host's; those
/// bound to a node are the node's as well.
/// @param reserve_mib  0: a tenth of the host. Huge pages have no reserve: nothing else uses them.
/// @param wishes       by name; who has none is not automatic.
[[nodiscard]] policy::Observation observe(const policy::MemoryFigures& host,
                                          const std::vector<vm::DeviceReport>& devices,
                                          const std::map<std::string, VmWish>& wishes,
                                          std::uint64_t reserve_mib);

}  // namespace vballoon::policy
