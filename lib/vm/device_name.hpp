// SPDX-License-Identifier: BSD-3-Clause
//
// vm/device_name.hpp - what a device may be called.
#pragma once

#include <string_view>

#include "base/result.hpp"

namespace vballoon::vm {

/// @errors kInvalidArgument: not 1 to 64 of [A-Za-z0-9._-] with a letter or digit first.
[[nodiscard]] Result<void> check_name(std::string_view name);

}  // namespace vballoon::vm
