// SPDX-License-Identifier: BSD-3-Clause
#include "service/config/table_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

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

void Faults::add(const toml::source_region& where, std::string_view what) {
  const std::uint32_t line = where.begin.line;
  found_.push_back({line, fmt::format("{}:{}: {}", source_, line, what)});
}

Result<void> Faults::result() && {
  if (found_.empty()) return {};
  std::ranges::stable_sort(found_, {}, &Fault::line);
  std::string all;
  for (const Fault& fault : found_) all += (all.empty() ? "" : "\n") + fault.text;
  return fail(Code::kInvalidArgument, all);
}

void TableReader::flag(std::string_view key, bool* value) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (!node->is_boolean()) return wrong_type(key, *node, "true or false");
  *value = node->as_boolean()->get();
}

void TableReader::text(std::string_view key, std::string* value, std::string_view expected) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (!node->is_string()) return wrong_type(key, *node, expected);
  *value = node->as_string()->get();
}

void TableReader::texts(std::string_view key, std::vector<std::string>* value) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  static constexpr std::string_view kExpected = "a list of texts, as in [\"one\", \"two\"]";
  if (!node->is_array()) return wrong_type(key, *node, kExpected);
  std::vector<std::string> found;
  for (const toml::node& item : *node->as_array()) {
    if (!item.is_string()) return wrong_type(key, item, kExpected);
    found.push_back(item.as_string()->get());
  }
  *value = std::move(found);
}

void TableReader::word(std::string_view key, std::string* value, Words words) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const std::string expected = text_of(words);
  if (!node->is_string()) return wrong_type(key, *node, expected);
  const std::string& found = node->as_string()->get();
  if (std::ranges::find(words, found) == words.end()) {
    return refuse(key, fmt::format("'{}' must be {}, not \"{}\"", full_name(key), expected, found));
  }
  *value = found;
}

void TableReader::number(std::string_view key, std::uint64_t* value, const Range& range) {
  if (const auto found = number_at(key, range)) *value = *found;
}

void TableReader::number(std::string_view key, std::optional<unsigned>* value, const Range& range) {
  if (const auto found = number_at(key, range)) *value = static_cast<unsigned>(*found);
}

void TableReader::numbers(std::string_view key, std::vector<unsigned>* value, const Range& range,
                          std::string* word, Words words) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const std::string expected =
      fmt::format("a list of whole numbers{}, as in [2, 3], or {}", text_of(range), text_of(words));
  if (node->is_string()) {
    const std::string& found = node->as_string()->get();
    if (std::ranges::find(words, found) == words.end()) {
      return refuse(key,
                    fmt::format("'{}' must be {}, not \"{}\"", full_name(key), expected, found));
    }
    *word = found;
    return value->clear();
  }
  if (!node->is_array()) return wrong_type(key, *node, expected);
  if (auto found = list_of(key, *node->as_array(), range, expected)) {
    *value = std::move(*found);
    word->clear();
  }
}

std::optional<std::vector<unsigned>> TableReader::list_of(std::string_view key,
                                                          const toml::array& list,
                                                          const Range& range,
                                                          std::string_view expected) {
  std::vector<unsigned> found;
  for (const toml::node& item : list) {
    const auto one = number_of(key, item, range, expected);
    if (!one) return std::nullopt;
    if (std::ranges::find(found, *one) != found.end()) {
      faults_.add(item.source(), fmt::format("'{}' names {} twice", full_name(key), *one));
      return std::nullopt;
    }
    found.push_back(static_cast<unsigned>(*one));
  }
  return found;
}

void TableReader::table(std::string_view name, const Body& body) {
  const toml::node* node = find(name);
  if (node == nullptr) return;
  if (!node->is_table()) return wrong_type(name, *node, fmt::format("a table, [{}]", name));
  TableReader reader(*node->as_table(), full_name(name), faults_);
  body(reader);
  reader.finish();
}

void TableReader::blocks(std::string_view name, const Block& body) {
  const toml::node* node = find(name);
  if (node == nullptr) return;
  if (!node->is_array_of_tables()) {
    return wrong_type(name, *node, fmt::format("written [[{}]], in two brackets", name));
  }
  for (const toml::node& item : *node->as_array()) {
    TableReader reader(*item.as_table(), full_name(name), faults_);
    body(reader);
    reader.finish();
  }
}

bool TableReader::require(std::string_view key) {
  const bool there = table_.contains(key);
  if (!there) refuse(fmt::format("this [[{}]] has no '{}'", path_, key));
  return there;
}

void TableReader::refuse(std::string_view key, const std::string& why) {
  const toml::node* node = table_.get(key);
  faults_.add(node != nullptr ? node->source() : table_.source(), why);
}

void TableReader::finish() {
  for (const auto& [key, node] : table_) {
    if (std::ranges::find(known_, key.str()) != known_.end()) continue;
    faults_.add(key.source(), fmt::format("unknown key '{}'{}", full_name(key.str()),
                                          suggestion(key.str(), known_)));
  }
}

const toml::node* TableReader::find(std::string_view key) {
  known_.push_back(key);
  return table_.get(key);
}

void TableReader::wrong_type(std::string_view key, const toml::node& node,
                             std::string_view expected) {
  faults_.add(node.source(),
              fmt::format("'{}' must be {}, not {}", full_name(key), expected, type_text(node)));
}

std::optional<std::uint64_t> TableReader::number_at(std::string_view key, const Range& range) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  return number_of(key, *node, range, "a whole number" + text_of(range));
}

std::optional<std::uint64_t> TableReader::number_of(std::string_view key, const toml::node& node,
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
  faults_.add(node.source(),
              fmt::format("'{}' must be {}, not {}", full_name(key), expected, value));
  return std::nullopt;
}

std::string TableReader::full_name(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

}  // namespace vballoon::service
