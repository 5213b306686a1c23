// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/device_spec.hpp - a VM's settings in vhost-user's terms.
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/result.hpp"
#include "reclaim/page_shifts.hpp"
#include "vm/settings.hpp"
#include "wire/features.hpp"
#include "wire/large_balloon.hpp"

namespace vballoon::vhost {

struct DeviceSpec : vm::Settings {
  /// The group that may connect; nothing: the daemon's own group.
  std::optional<gid_t> socket_group;

  /// @param others  the group for settings that name no group.
  /// @errors kInvalidArgument when there is no such group.
  [[nodiscard]] static Result<DeviceSpec> of(const vm::Settings& settings,
                                             std::optional<gid_t> others);

  [[nodiscard]] wire::Features offered() const noexcept;
  [[nodiscard]] wire::Dialect dialect() const noexcept {
    if (kind == vm::kLarge) return wire::Dialect::kLarge;
    return message_queue ? wire::Dialect::kMessages : wire::Dialect::kStock;
  }
  /// Of a device of large pages: the sizes of its pages; else none.
  [[nodiscard]] reclaim::PageShifts page_shifts() const noexcept;
  /// Likewise: its configuration; else nothing.
  [[nodiscard]] std::optional<wire::large::Config> large_config() const noexcept;

 private:
  [[nodiscard]] wire::Features offered_large() const noexcept;
  [[nodiscard]] wire::Features offered_stock() const noexcept;
};

}  // namespace vballoon::vhost
