// SPDX-License-Identifier: BSD-3-Clause
//
// base/size_text.hpp - sizes as people write and read them: 512M, 1.5G, 50%, 1.50 GiB.
// Layer:  base. Units are binary: K, M, G, T and KiB, MiB, GiB, TiB mean the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace vballoon {

/// Parses a byte count: digits, an optional fraction, an optional unit (none: bytes).
/// @errors kInvalidArgument, naming the text and the accepted forms; also above 2^63 - 1.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

/// As parse_size, for memory of a guest: a small number without a unit was meant in some other one
/// (QEMU counts in MiB, libvirt in KiB) and is refused, not taken for bytes.
/// @errors as parse_size; also above 0 and below 1 MiB without a unit, with what to write instead.
[[nodiscard]] Result<std::uint64_t> parse_memory_size(std::string_view text);

/// As parse_memory_size, and also a share of `whole`, as in "50%".
/// @errors kInvalidArgument; shares above 100 % included.
[[nodiscard]] Result<std::uint64_t> parse_size_or_share(std::string_view text, std::uint64_t whole);

/// "512 MiB", "1.50 GiB", "4 KiB", "17 B": three significant digits are enough for a person.
[[nodiscard]] std::string format_size(std::uint64_t bytes);

}  // namespace vballoon
