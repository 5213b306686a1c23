// SPDX-License-Identifier: BSD-3-Clause
//
// policy/host/figures.hpp - numbers out of the kernel's texts. Whatever a text says, nothing
//                    throws, and what is too large for 64 bits is the largest there is.
// Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace vballoon::policy {

/// Digits, or "max", and then at most blanks and the end of a line.
[[nodiscard]] std::optional<std::uint64_t> to_number(std::string_view text) noexcept;

/// The number behind a word that begins a line or stands behind a blank in it, as in
/// "Node 0 MemFree:  17 kB" or "pswpin 4".
[[nodiscard]] std::optional<std::uint64_t> number_after(std::string_view text,
                                                        std::string_view word) noexcept;
/// The same of what is counted in units of `unit` bytes.
[[nodiscard]] std::optional<std::uint64_t> bytes_after(std::string_view text, std::string_view word,
                                                       std::uint64_t unit) noexcept;

[[nodiscard]] std::uint64_t add_up(std::uint64_t a, std::uint64_t b) noexcept;
[[nodiscard]] std::uint64_t multiply(std::uint64_t a, std::uint64_t b) noexcept;
/// a less b, but not below zero.
[[nodiscard]] constexpr std::uint64_t less(std::uint64_t a, std::uint64_t b) noexcept {
  return a > b ? a - b : 0;
}

/// Of the kernel that runs, which is not the balloon's.
[[nodiscard]] std::uint64_t host_page_bytes() noexcept;

/// Of all zones of a node, in bytes.
struct Watermarks {
  unsigned node = 0;
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

/// Out of /proc/zoneinfo. Empty where it names no zone.
[[nodiscard]] std::vector<Watermarks> read_watermarks(std::string_view zoneinfo);

}  // namespace vballoon::policy
