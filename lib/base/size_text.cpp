// SPDX-License-Identifier: BSD-3-Clause
#include "base/size_text.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/units.hpp"

namespace vballoon {
namespace {

struct Unit {
  std::string_view letter;
  std::uint64_t bytes;
};
constexpr std::array<Unit, 5> kUnits{
    {{"", 1}, {"k", kKiB}, {"m", kMiB}, {"g", kGiB}, {"t", 1024 * kGiB}}};

constexpr std::uint64_t kMaxSize = (std::uint64_t{1} << 63) - 1;

std::string lower(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

std::optional<std::uint64_t> unit_bytes(std::string_view suffix) {
  std::string unit = lower(suffix);
  if (unit == "b") unit.clear();
  if (unit.size() == 3 && unit.ends_with("ib")) unit.resize(1);
  if (unit.size() == 2 && unit.ends_with('b')) unit.resize(1);
  for (const Unit& known : kUnits) {
    if (known.letter == unit) return known.bytes;
  }
  return std::nullopt;
}

struct Parts {
  double number = 0;
  std::optional<std::uint64_t> exact;  // where it was written without a fraction
  std::string_view suffix;
};

std::optional<Parts> split_number(std::string_view text) {
  Parts parts;
  const char* const last = text.data() + text.size();
  const auto [end, error] =
      std::from_chars(text.data(), last, parts.number, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(parts.number) || text.front() == '-') {
    return std::nullopt;
  }
  std::uint64_t whole = 0;
  const auto integer = std::from_chars(text.data(), last, whole);
  if (integer.ec == std::errc{} && integer.ptr == end) parts.exact = whole;
  parts.suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!parts.suffix.empty() && parts.suffix.front() == ' ') parts.suffix.remove_prefix(1);
  return parts;
}

tl::unexpected<Status> bad_size(std::string_view text, std::string_view also) {
  return fail(
      Code::kInvalidArgument,
      fmt::format("'{}' is not a size; write it as 512M, 1.5G or a number of bytes{}", text, also));
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto parts = split_number(text);
  if (!parts) return bad_size(text, "");
  const auto unit = unit_bytes(parts->suffix);
  if (!unit) return bad_size(text, "");
  const double bytes = parts->number * static_cast<double>(*unit);
  // 2^63 - 1 is the one number below the bound that has no double of its own.
  const bool in_range = parts->exact ? *parts->exact <= kMaxSize / *unit : bytes < 0x1p63;
  if (!in_range) return bad_size(text, " below 8388608T");
  return parts->exact ? *parts->exact * *unit : static_cast<std::uint64_t>(std::llround(bytes));
}

Result<std::uint64_t> parse_memory_size(std::string_view text) {
  auto size = parse_size(text);
  if (!size || *size == 0 || *size >= kMiB) return size;
  if (const auto parts = split_number(text); !parts || !parts->suffix.empty()) return size;
  return fail(Code::kInvalidArgument,
              fmt::format("'{0}' without a unit is {0} bytes; write {0}M for MiB, {0}K for KiB, or "
                          "{0}B if you mean bytes",
                          text));
}

/// In two steps, so that nothing overflows and 100 % is all of it.
std::uint64_t Share::of(std::uint64_t whole) const noexcept {
  return whole / kWhole * millionths + whole % kWhole * millionths / kWhole;
}

Result<SizeOrShare> parse_size_or_share(std::string_view text) {
  const auto parts = split_number(text);
  if (!parts || parts->suffix != "%") {
    if (!parts || !unit_bytes(parts->suffix)) {
      return bad_size(text, ", or as a share of guest memory: 50%");
    }
    const auto size = parse_memory_size(text);
    if (!size) return tl::unexpected(size.error());
    return SizeOrShare{*size, std::nullopt};
  }
  if (parts->number > 100) {
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' is more than the whole; a share goes from 0% to 100%", text));
  }
  const double millionths = parts->number / 100 * Share::kWhole;
  return SizeOrShare{0, Share{static_cast<std::uint32_t>(std::llround(millionths))}};
}

std::string format_share(Share share) {
  return fmt::format("{} %", static_cast<double>(share.millionths) * 100 / Share::kWhole);
}

std::string format_size(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 5> kNames{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  auto value = static_cast<double>(bytes);
  // As it will be printed: what rounds to 1024 of a unit is 1 of the next.
  const auto shown = [](double v) { return v < 1000 ? v : std::round(v); };
  while (shown(value) >= 1024 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  if (value == std::floor(value)) return fmt::format("{:.0f} {}", value, kNames[unit]);
  const int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, digits, kNames[unit]);
}

}  // namespace vballoon
