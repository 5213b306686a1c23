// SPDX-License-Identifier: BSD-3-Clause
//
// base/nearest.cpp - the fewest edits from what was written to what is known.
#include "base/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace vballoon {
namespace {

// A word that nobody could have meant is not worth the square of its length.
constexpr std::size_t kLongestWord = 64;

/// Letters inserted, removed or replaced to get from a to b. @pre Both have at most kLongestWord.
std::size_t edits(std::string_view a, std::string_view b) {
  std::array<std::size_t, kLongestWord + 1> row{};
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

std::optional<std::string> nearest(std::string_view word, std::span<const std::string_view> known) {
  if (word.size() > kLongestWord) return std::nullopt;
  std::size_t fewest = std::max<std::size_t>(2, word.size() / 3) + 1;
  std::optional<std::string> found;
  for (const std::string_view candidate : known) {
    if (candidate.size() > kLongestWord) continue;
    const std::size_t n = edits(word, candidate);
    if (n >= fewest || n >= candidate.size()) continue;
    fewest = n;
    found = candidate;
  }
  return found;
}

std::string suggestion(std::string_view word, std::span<const std::string_view> known) {
  if (const auto meant = nearest(word, known)) return fmt::format("; did you mean '{}'?", *meant);
  if (known.empty()) return "; none are known here";
  if (known.size() == 1) return fmt::format("; only '{}' is known here", known.front());
  return fmt::format("; known are {} and {}", fmt::join(known.first(known.size() - 1), ", "),
                     known.back());
}

}  // namespace vballoon
