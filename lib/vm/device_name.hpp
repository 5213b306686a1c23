// SPDX-License-Identifier: BSD-3-Clause
//
// vm/device_name.hpp - which names a device may have.
#pragma once

#include <string_view>

#include "base/result.hpp"

namespace vballoon::vm {

/// @errors kInvalidArgument unless the name is 1 to 64 of [A-Za-z0-9._-], a letter or digit first.
[[nodiscard]] Result<void> check_name(std::string_view name);

}  // namespace vballoon::vm
