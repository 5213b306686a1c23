// SPDX-License-Identifier: BSD-3-Clause
//
// base/nearest.hpp - what somebody probably meant to write.
// Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vballoon {

/// @return the known word that takes the fewest single-letter edits, if they are few enough for a
///         slip of the hand: at most a third of the word, and at least two.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 std::span<const std::string_view> known);

/// "; did you mean 'x'?" or, when nothing is near, "; known are a, b and c".
[[nodiscard]] std::string suggestion(std::string_view word,
                                     std::span<const std::string_view> known);

}  // namespace vballoon
