// SPDX-License-Identifier: BSD-3-Clause
//
// service/config/table_reader.hpp - reads TOML tables strictly: refuses unknown keys, and checks
//                                   every value.
// Each key that is asked for is a known one, so the list of known keys is exactly what is read.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The distribution's library throws; parse_config() catches.
#include <toml++/toml.h>

#include "base/result.hpp"
#include "service/config/keys.hpp"

namespace vballoon::service {

/// What is wrong in a file, with the lines.
class Faults {
 public:
  /// @param source  the file's name in messages.
  explicit Faults(std::string source) : source_(std::move(source)) {}
  void add(const toml::source_region& where, std::string_view what);
  [[nodiscard]] std::size_t count() const noexcept { return found_.size(); }
  /// @errors kInvalidArgument: all of them, a line each, in the order of the file.
  [[nodiscard]] Result<void> result() &&;

 private:
  struct Fault {
    std::uint32_t line;
    std::string text;
  };
  std::string source_;
  std::vector<Fault> found_;
};

/// Where a key is absent, or its value cannot be, the value stays as it is.
class TableReader final : public Keys {
 public:
  /// @param path  the table's name in messages; empty for the top of the file.
  TableReader(const toml::table& table, std::string path, Faults& faults)
      : table_(table), path_(std::move(path)), faults_(faults), before_(faults.count()) {}

  void table(std::string_view name, const Body& body) override;
  void flag(std::string_view key, bool* value) override;
  using Keys::text;
  void text(std::string_view key, std::string* value, std::string_view expected) override;
  void texts(std::string_view key, std::vector<std::string>* value) override;
  void word(std::string_view key, std::string* value, Words words) override;
  void number(std::string_view key, std::uint64_t* value, const Range& range) override;
  void number(std::string_view key, std::optional<unsigned>* value, const Range& range) override;
  void numbers(std::string_view key, std::vector<unsigned>* value, const Range& range,
               std::string* word, Words words) override;
  void refuse(std::string_view key, const std::string& why) override;
  [[nodiscard]] bool good() const noexcept override { return faults_.count() == before_; }

  /// Each [[name]], by a reader of its own.
  using Block = std::function<void(TableReader&)>;
  void blocks(std::string_view name, const Block& body);

  /// @return whether the table has the key; its absence is a fault.
  bool require(std::string_view key);
  /// A fault of the table as a whole.
  void refuse(const std::string& why) { faults_.add(table_.source(), why); }
  /// All keys were asked for: any other is a fault.
  void finish();

 private:
  const toml::node* find(std::string_view key);
  void wrong_type(std::string_view key, const toml::node& node, std::string_view expected);
  std::optional<std::uint64_t> number_of(std::string_view key, const toml::node& node,
                                         const Range& range, std::string_view expected);
  std::optional<std::uint64_t> number_at(std::string_view key, const Range& range);
  [[nodiscard]] std::optional<std::vector<unsigned>> list_of(std::string_view key,
                                                             const toml::array& list,
                                                             const Range& range,
                                                             std::string_view expected);
  [[nodiscard]] std::string full_name(std::string_view key) const;

  const toml::table& table_;
  std::string path_;
  Faults& faults_;
  std::size_t before_;
  std::vector<std::string_view> known_;
};

}  // namespace vballoon::service
