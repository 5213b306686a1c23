// SPDX-License-Identifier: BSD-3-Clause
//
// base/group.hpp - a group that the configuration names.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace vballoon {

/// @param name  of a group, or its number; empty: none.
/// @param key   of the configuration, named in the error.
/// @errors kInvalidArgument when there is no such group.
[[nodiscard]] Result<std::optional<gid_t>> find_group(const std::string& name,
                                                      std::string_view key);

}  // namespace vballoon
