// SPDX-License-Identifier: BSD-3-Clause
//
// policy/host/figures.hpp - reads numbers from the kernel's texts. No text makes a function throw.
//                           A number too large for 64 bits reads as the largest one.
// Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace vballoon::policy {

/// Reads digits or "max". Only blanks and the end of a line may follow.
[[nodiscard]] std::optional<std::uint64_t> to_number(std::string_view text) noexcept;

/// @return the number after a word. The word begins a line or follows a blank, as in
///         "Node 0 MemFree:  17 kB" or "pswpin 4".
[[nodiscard]] std::optional<std::uint64_t> number_after(std::string_view text,
                                                        std::string_view word) noexcept;
/// @return the number after a word, times `unit`.
[[nodiscard]] std::optional<std::uint64_t> bytes_after(std::string_view text, std::string_view word,
                                                       std::uint64_t unit) noexcept;

[[nodiscard]] std::uint64_t add_up(std::uint64_t a, std::uint64_t b) noexcept;
[[nodiscard]] std::uint64_t multiply(std::uint64_t a, std::uint64_t b) noexcept;

/// The page size of the running kernel. The balloon's pages are 4 KiB in any case.
[[nodiscard]] std::uint64_t host_page_bytes() noexcept;

/// The sums over all zones of a node, in bytes.
struct Watermarks {
  unsigned node = 0;
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

/// @param zoneinfo  the text of /proc/zoneinfo. @return empty where it names no zone.
[[nodiscard]] std::vector<Watermarks> read_watermarks(std::string_view zoneinfo);

}  // namespace vballoon::policy
