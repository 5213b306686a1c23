// SPDX-License-Identifier: BSD-3-Clause
#include "policy/host/figures.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>
#include <system_error>

namespace vballoon::policy {
namespace {

constexpr std::uint64_t kLargest = std::numeric_limits<std::uint64_t>::max();
constexpr std::string_view kBlanks = " \t";

void skip_blanks(std::string_view& text) noexcept {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
}

/// Removes the digits from the front of the text. A minus sign is no digit. A number that is too
/// large reads as the largest one.
std::optional<std::uint64_t> take_number(std::string_view& text) noexcept {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return error == std::errc{} ? value : kLargest;
}

bool is_word_at(std::string_view text, std::size_t at, std::size_t length) noexcept {
  const bool begins = at == 0 || text[at - 1] == '\n' || text[at - 1] == ' ';
  return begins && at + length < text.size() &&
         kBlanks.find(text[at + length]) != std::string_view::npos;
}

std::string_view take_line(std::string_view& text) noexcept {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

/// "Node 1, zone   Normal"
std::optional<unsigned> node_of_zone(std::string_view line) noexcept {
  constexpr std::string_view kBegin = "Node ";
  if (!line.starts_with(kBegin) || line.find(", zone ") == std::string_view::npos) return {};
  const auto node = number_after(line.substr(0, line.find(',')), "Node");
  if (!node || *node > std::numeric_limits<unsigned>::max()) return {};
  return static_cast<unsigned>(*node);
}

Watermarks& of_node(std::vector<Watermarks>& all, unsigned node) {
  const auto known = std::find_if(all.begin(), all.end(),
                                  [node](const Watermarks& one) { return one.node == node; });
  return known != all.end() ? *known : all.emplace_back(Watermarks{node, 0, 0});
}

}  // namespace

std::optional<std::uint64_t> to_number(std::string_view text) noexcept {
  constexpr std::string_view kMax = "max";
  std::optional<std::uint64_t> value;
  if (text.starts_with(kMax)) {
    text.remove_prefix(kMax.size());
    value = kLargest;
  } else {
    value = take_number(text);
  }
  return text.find_first_not_of(" \t\n") == std::string_view::npos ? value : std::nullopt;
}

std::optional<std::uint64_t> number_after(std::string_view text, std::string_view word) noexcept {
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    if (!is_word_at(text, at, word.size())) continue;
    text.remove_prefix(at + word.size());
    skip_blanks(text);
    return take_number(text);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> bytes_after(std::string_view text, std::string_view word,
                                         std::uint64_t unit) noexcept {
  const auto value = number_after(text, word);
  return value ? std::optional(multiply(*value, unit)) : std::nullopt;
}

std::uint64_t add_up(std::uint64_t a, std::uint64_t b) noexcept {
  return a > kLargest - b ? kLargest : a + b;
}

std::uint64_t multiply(std::uint64_t a, std::uint64_t b) noexcept {
  return b != 0 && a > kLargest / b ? kLargest : a * b;
}

std::uint64_t host_page_bytes() noexcept {
  static const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

std::vector<Watermarks> read_watermarks(std::string_view zoneinfo) {
  std::vector<Watermarks> all;
  std::optional<unsigned> node;
  while (!zoneinfo.empty()) {
    const std::string_view line = take_line(zoneinfo);
    if (const auto begun = node_of_zone(line)) node = begun;
    if (!node) continue;
    Watermarks& sums = of_node(all, *node);
    // The lists of each cpu have a "high:", which is another word.
    sums.low = add_up(sums.low, bytes_after(line, "low", host_page_bytes()).value_or(0));
    sums.high = add_up(sums.high, bytes_after(line, "high", host_page_bytes()).value_or(0));
  }
  return all;
}

}  // namespace vballoon::policy
