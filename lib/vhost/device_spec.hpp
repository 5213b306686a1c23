// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/device_spec.hpp - a VM's settings in vhost-user's terms.
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/result.hpp"
#include "vm/settings.hpp"
#include "wire/features.hpp"

namespace vballoon::vhost {

struct DeviceSpec : vm::Settings {
  /// The group that may connect; nothing: the daemon's own group.
  std::optional<gid_t> socket_group;

  /// @param others  the group for settings that name no group.
  /// @errors kInvalidArgument when there is no such group.
  [[nodiscard]] static Result<DeviceSpec> of(const vm::Settings& settings,
                                             std::optional<gid_t> others);

  [[nodiscard]] wire::Features offered() const noexcept;
  [[nodiscard]] wire::BitTwo bit_two() const noexcept {
    return message_queue ? wire::BitTwo::kMessageVq : wire::BitTwo::kDeflateOnOom;
  }
};

}  // namespace vballoon::vhost
