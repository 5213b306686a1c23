// SPDX-License-Identifier: BSD-3-Clause
#include "vm/settings.hpp"

#include <fmt/format.h>

namespace vballoon::vm {

Result<void> check_limits(const DeviceConfig& device) {
  if (device.ceiling_mib != 0 && device.floor_mib > device.ceiling_mib) {
    return fail(Code::kInvalidArgument, fmt::format("'floor_mib' ({}) is above 'ceiling_mib' ({})",
                                                    device.floor_mib, device.ceiling_mib));
  }
  if (device.weight != 0) return {};
  return fail(Code::kInvalidArgument, "'weight' must be 1 or more: the share of 0 is no share");
}

}  // namespace vballoon::vm
