// SPDX-License-Identifier: BSD-3-Clause
//
// keep/environment.hpp - what a service manager says by environment variables.
// Thread: the first, while there is no other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vballoon::keep {

/// Its value, or nothing; from here on children do not see it.
[[nodiscard]] std::string take_environment(const char* name);

/// A decimal number and nothing else.
[[nodiscard]] std::optional<std::uint64_t> to_number(std::string_view text);

}  // namespace vballoon::keep
