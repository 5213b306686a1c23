// SPDX-License-Identifier: BSD-3-Clause
//
// base/size_text.hpp - sizes as people write and read them: 512M, 1.5G, 50%, 1.50 GiB.
// Units are binary: K, M, G, T and KiB, MiB, GiB, TiB mean the same.
#pragma once

#include <cstdint>
#include <optional>
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

/// A part of something whose size may change, or is not known yet.
struct Share {
  std::uint32_t millionths = 0;  ///< at most kWhole
  static constexpr std::uint32_t kWhole = 1'000'000;
  [[nodiscard]] std::uint64_t of(std::uint64_t whole) const noexcept;
  friend bool operator==(const Share&, const Share&) = default;
};

/// What a person asks for.
struct SizeOrShare {
  std::uint64_t bytes = 0;  ///< of meaning where it is no share
  std::optional<Share> share;
  [[nodiscard]] std::uint64_t of(std::uint64_t whole) const noexcept {
    return share ? share->of(whole) : bytes;
  }
};

/// As parse_memory_size, and also a share, as in "50%"; of its fraction four digits count.
/// @errors kInvalidArgument; shares above 100 % included.
[[nodiscard]] Result<SizeOrShare> parse_size_or_share(std::string_view text);

/// "512 MiB", "1.50 GiB", "4 KiB", "17 B": three significant digits are enough for a person.
[[nodiscard]] std::string format_size(std::uint64_t bytes);

/// "50 %", "12.5 %".
[[nodiscard]] std::string format_share(Share share);

}  // namespace vballoon
