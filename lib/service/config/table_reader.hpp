// SPDX-License-Identifier: BSD-3-Clause
//
// service/config/table_reader.hpp - reads one TOML table strictly: refuses unknown keys, and checks
//                                   every value.
// Each read adds its key to the known keys, so the list of known keys is exactly what is read.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The distribution's library throws; parse_config() catches.
#include <toml++/toml.h>

#include "base/result.hpp"

namespace vballoon::service {

/// The bounds of a whole number, both included, and its unit.
struct Range {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::string_view unit;
};

/// Read each key at most once, then call finish(). The first error is kept; later ones are ignored.
class TableReader {
 public:
  /// @param path    the table's name in messages; empty for the top of the file.
  /// @param source  the file's name in messages.
  TableReader(const toml::table& table, std::string path, const std::string& source)
      : table_(table), path_(std::move(path)), source_(source) {}

  /// Where the key is absent, *out keeps its value.
  void read(std::string_view key, bool* out);
  /// @param expected  completes "must be ..." in the error for another type; more precise than "a
  ///                  text in quotes" where not every text is valid.
  void read(std::string_view key, std::string* out, std::string_view expected = "a text in quotes");
  void read(std::string_view key, std::uint64_t* out, const Range& range);
  void read(std::string_view key, std::vector<std::string>* out);
  void read_word(std::string_view key, std::string* out, std::span<const std::string_view> words);
  /// Reads a list of numbers, or one of the words. With a word the list is empty.
  void read_list_or_word(std::string_view key, std::vector<unsigned>* out, const Range& range,
                         std::string* word, std::span<const std::string_view> words);

  /// Reads a table within the table by `body`, which returns finish() of the reader that it gets.
  using Body = std::function<Result<void>(TableReader&)>;
  void read_table(std::string_view key, const Body& body);
  void read_tables(std::string_view key, const Body& body);

  /// @return true when the table has the key; its absence becomes the error.
  bool require(std::string_view key);
  void fail_at(const toml::node& where, std::string message);
  [[nodiscard]] const toml::table& table() const noexcept { return table_; }

  /// @errors kInvalidArgument: the first error, or a key that was not read.
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
