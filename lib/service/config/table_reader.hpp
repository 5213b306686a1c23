// SPDX-License-Identifier: BSD-3-Clause
//
// service/config/table_reader.hpp - read one TOML table strictly: every key known, every value
//                                   checked.
// The reads themselves say which keys there are, so the list of known keys cannot drift from what
// is read.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The distribution's library is built with exceptions; they end at parse_config().
#include <toml++/toml.h>

#include "base/result.hpp"

namespace vballoon::service {

/// A whole number within bounds, both included, and what it counts.
struct Range {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::string_view unit;
};

/// Reads each key at most once, then finish(). The first error is kept; what follows is ignored.
class TableReader {
 public:
  /// @param path    the table's own name in messages, empty for the top of the file.
  /// @param source  the file's name in messages.
  TableReader(const toml::table& table, std::string path, const std::string& source)
      : table_(table), path_(std::move(path)), source_(source) {}

  /// Where the key is absent, *out keeps its value.
  void read(std::string_view key, bool* out);
  /// @param expected  what it takes, for who wrote something else: more than that it is a text, if
  ///                  not any will do.
  void read(std::string_view key, std::string* out, std::string_view expected = "a text in quotes");
  void read(std::string_view key, std::uint64_t* out, const Range& range);
  void read(std::string_view key, std::vector<std::string>* out);
  void read_word(std::string_view key, std::string* out, std::span<const std::string_view> words);
  /// A list of numbers, or one of the words instead; the list is empty then.
  void read_list_or_word(std::string_view key, std::vector<unsigned>* out, const Range& range,
                         std::string* word, std::span<const std::string_view> words);

  /// A table within the table, read by `body`, which ends in finish() of its own reader.
  using Body = std::function<Result<void>(TableReader&)>;
  void read_table(std::string_view key, const Body& body);
  void read_tables(std::string_view key, const Body& body);

  /// @return true when the key is there; else it becomes an error.
  bool require(std::string_view key);
  void fail_at(const toml::node& where, std::string message);
  [[nodiscard]] const toml::table& table() const noexcept { return table_; }

  /// @errors kInvalidArgument: the first one met, or a key that nobody read.
  [[nodiscard]] Result<void> finish();

 private:
  const toml::node* find(std::string_view key);
  void wrong_type(std::string_view key, const toml::node& node, std::string_view expected);
  std::optional<std::uint64_t> number(std::string_view key, const toml::node& node,
                                      const Range& range, std::string_view expected);
  [[nodiscard]] std::string full_name(std::string_view key) const;
  [[nodiscard]] std::string at(const toml::source_region& region) const;

  const toml::table& table_;
  std::string path_;
  const std::string& source_;
  std::vector<std::string_view> known_;
  std::optional<Status> error_;
};

}  // namespace vballoon::service
