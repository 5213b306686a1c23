// SPDX-License-Identifier: BSD-3-Clause
//
// base/printable.hpp - text of others, made fit for a terminal or a log.
// Pure.
// Why:    a socket path, a device name that does not exist or a word in an error is its
//         sender's. U+009B begins an escape sequence on some terminals, U+202E turns the rest of
//         the line around.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vballoon {

/// The text with everything escaped that no terminal should get: control characters of ASCII and of
/// Unicode, marks of direction, invisible ones, and bytes that are not UTF-8 (as \x9b, \u202e).
/// A line feed stays.
[[nodiscard]] std::string printable(std::string_view text);

/// Whether printable() would change it, or it has a line feed.
[[nodiscard]] bool has_unprintable(std::string_view text);

/// Cells that printable() text takes on a terminal: one a code point.
[[nodiscard]] std::size_t columns_of(std::string_view text) noexcept;

/// The first so many cells of printable() text; never a part of a code point.
[[nodiscard]] std::string_view first_columns(std::string_view text, std::size_t columns) noexcept;

}  // namespace vballoon
