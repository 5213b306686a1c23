// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/device_spec.hpp - a VM's settings as vhost-user has them.
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/result.hpp"
#include "vm/settings.hpp"
#include "wire/features.hpp"

namespace vballoon::vhost {

struct DeviceSpec : vm::Settings {
  /// The group that may connect; nothing: the daemon's own.
  std::optional<gid_t> socket_group;

  /// @param others  the group where the settings name none.
  /// @errors kInvalidArgument: there is no such group.
  [[nodiscard]] static Result<DeviceSpec> of(const vm::Settings& settings,
                                             std::optional<gid_t> others);

  [[nodiscard]] wire::Features offered() const noexcept;
  [[nodiscard]] wire::BitTwo bit_two() const noexcept {
    return message_queue ? wire::BitTwo::kMessageVq : wire::BitTwo::kDeflateOnOom;
  }
};

}  // namespace vballoon::vhost
