// SPDX-License-Identifier: BSD-3-Clause
#include "service/config/table_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.hpp"

namespace vballoon::service {
namespace {

std::string_view type_text(const toml::node& node) {
  if (node.is_string()) return "a text in quotes";
  if (node.is_integer()) return "a whole number";
  if (node.is_floating_point()) return "a number with a fraction";
  if (node.is_boolean()) return "true or false";
  if (node.is_table()) return "a [table]";
  if (node.is_array_of_tables()) return "[[tables]]";
  if (node.is_array()) return "a list";
  return "a date or time";
}

std::string text_of(const Range& range) {
  return fmt::format("{}{} from {} to {}", range.unit.empty() ? "" : " of ", range.unit, range.low,
                     range.high);
}

std::string text_of(std::span<const std::string_view> words) {
  return fmt::format("\"{}\"", fmt::join(words, "\" or \""));
}

}  // namespace

void TableReader::read(std::string_view key, bool* out) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (!node->is_boolean()) return wrong_type(key, *node, "true or false");
  *out = node->as_boolean()->get();
}

void TableReader::read(std::string_view key, std::string* out, std::string_view expected) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (!node->is_string()) return wrong_type(key, *node, expected);
  *out = node->as_string()->get();
}

void TableReader::read(std::string_view key, std::uint64_t* out, const Range& range) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (const auto value = number(key, *node, range, "a whole number" + text_of(range)))
    *out = *value;
}

void TableReader::read(std::string_view key, std::vector<std::string>* out) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  static constexpr std::string_view kExpected = "a list of texts, as in [\"one\", \"two\"]";
  if (!node->is_array()) return wrong_type(key, *node, kExpected);
  out->clear();
  for (const toml::node& item : *node->as_array()) {
    if (!item.is_string()) return wrong_type(key, item, kExpected);
    out->push_back(item.as_string()->get());
  }
}

void TableReader::read_list_or_word(std::string_view key, std::vector<unsigned>* out,
                                    const Range& range, std::string* word,
                                    std::span<const std::string_view> words) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const std::string expected =
      fmt::format("a list of whole numbers{}, as in [2, 3], or {}", text_of(range), text_of(words));
  if (node->is_string()) {
    *word = node->as_string()->get();
    out->clear();
    if (std::find(words.begin(), words.end(), *word) != words.end()) return;
    return fail_at(*node,
                   fmt::format("'{}' must be {}, not \"{}\"", full_name(key), expected, *word));
  }
  if (!node->is_array()) return wrong_type(key, *node, expected);
  out->clear();
  for (const toml::node& item : *node->as_array()) {
    const auto value = number(key, item, range, expected);
    if (!value) return;
    if (std::find(out->begin(), out->end(), *value) != out->end()) {
      return fail_at(item, fmt::format("'{}' names {} twice", full_name(key), *value));
    }
    out->push_back(static_cast<unsigned>(*value));
  }
}

void TableReader::read_word(std::string_view key, std::string* out,
                            std::span<const std::string_view> words) {
  const std::string expected = text_of(words);
  read(key, out, expected);
  const toml::node* node = table_.get(key);
  if (node == nullptr || error_ || std::find(words.begin(), words.end(), *out) != words.end()) {
    return;
  }
  fail_at(*node, fmt::format("'{}' must be {}, not \"{}\"", full_name(key), expected, *out));
}

void TableReader::read_table(std::string_view key, const Body& body) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (!node->is_table()) return wrong_type(key, *node, fmt::format("a table, [{}]", key));
  TableReader reader(*node->as_table(), full_name(key), source_);
  if (auto done = body(reader); !done) error_ = done.error();
}

void TableReader::read_tables(std::string_view key, const Body& body) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (!node->is_array_of_tables()) {
    return wrong_type(key, *node, fmt::format("written [[{}]], in two brackets", key));
  }
  for (const toml::node& item : *node->as_array()) {
    TableReader reader(*item.as_table(), full_name(key), source_);
    if (auto done = body(reader); !done) {
      error_ = done.error();
      return;
    }
  }
}

bool TableReader::require(std::string_view key) {
  if (error_) return false;
  if (table_.contains(key)) return true;
  fail_at(table_, fmt::format("this [[{}]] has no '{}'", path_, key));
  return false;
}

void TableReader::fail_at(const toml::node& where, std::string message) {
  if (error_) return;
  error_ = Status{Code::kInvalidArgument, at(where.source()) + std::move(message)};
}

Result<void> TableReader::finish() {
  if (error_) return tl::unexpected(*error_);
  for (const auto& [key, node] : table_) {
    if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
    return fail(Code::kInvalidArgument,
                fmt::format("{}unknown key '{}'{}", at(key.source()), full_name(key.str()),
                            suggestion(key.str(), known_)));
  }
  return {};
}

const toml::node* TableReader::find(std::string_view key) {
  known_.push_back(key);
  return error_ ? nullptr : table_.get(key);
}

void TableReader::wrong_type(std::string_view key, const toml::node& node,
                             std::string_view expected) {
  fail_at(node, fmt::format("'{}' must be {}, not {}", full_name(key), expected, type_text(node)));
}

std::optional<std::uint64_t> TableReader::number(std::string_view key, const toml::node& node,
                                                 const Range& range, std::string_view expected) {
  if (!node.is_integer()) {
    wrong_type(key, node, expected);
    return std::nullopt;
  }
  const std::int64_t value = node.as_integer()->get();
  if (value >= 0 && static_cast<std::uint64_t>(value) >= range.low &&
      static_cast<std::uint64_t>(value) <= range.high) {
    return static_cast<std::uint64_t>(value);
  }
  fail_at(node, fmt::format("'{}' must be {}, not {}", full_name(key), expected, value));
  return std::nullopt;
}

std::string TableReader::full_name(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

std::string TableReader::at(const toml::source_region& region) const {
  return fmt::format("{}:{}: ", source_, region.begin.line);
}

}  // namespace vballoon::service
