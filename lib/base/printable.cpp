// SPDX-License-Identifier: BSD-3-Clause
#include "base/printable.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace vballoon {
namespace {

bool is_plain(char c) noexcept {
  return (c >= 0x20 && c < 0x7f) || c == '\n';
}

/// Byte 10xxxxxx: not the first of a code point.
bool continues(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

/// The code point at the front, or whatever stands in its place.
std::string_view front_of(std::string_view text) noexcept {
  std::size_t bytes = 1;
  while (bytes < text.size() && bytes < 4 && continues(text[bytes])) ++bytes;
  return text.substr(0, bytes);
}

/// fmt's debug form has the tables of Unicode: what it would not show as it is, it escapes.
std::string shown(std::string_view code_point) {
  const std::string quoted = fmt::format("{:?}", code_point);
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    if (is_plain(text.front())) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    const std::string_view code_point = front_of(text);
    out += shown(code_point);
    text.remove_prefix(code_point.size());
  }
  return out;
}

bool has_unprintable(std::string_view text) {
  return text.find('\n') != std::string_view::npos || printable(text) != text;
}

std::size_t columns_of(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return !continues(c); }));
}

std::string_view first_columns(std::string_view text, std::size_t columns) noexcept {
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (!continues(text[end]) && columns-- == 0) break;
  }
  return text.substr(0, end);
}

}  // namespace vballoon
