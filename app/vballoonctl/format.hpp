// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/format.hpp - formats results for a person.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/error.hpp"

namespace vballoon::ctl {

/// Fields of a reply; 0 and "" where an older or newer daemon leaves one out. Text is printable.
[[nodiscard]] std::uint64_t number(const rpc::Json& object, std::string_view key);
[[nodiscard]] std::string text(const rpc::Json& object, std::string_view key);

/// The field as a size; "-" where it is absent.
[[nodiscard]] std::string size_field(const rpc::Json& object, std::string_view key);

/// The field where it is a number; nothing where it is null or absent.
[[nodiscard]] std::optional<std::uint64_t> known(const rpc::Json& object, std::string_view key);

/// The balloon's target: a size, or a share of a guest that is not known yet.
[[nodiscard]] std::string target_field(const rpc::Json& device);
/// The device's state, and whether it is slow.
[[nodiscard]] std::string state_field(const rpc::Json& device);

/// The guest's memory; "-" while no VMM is connected.
[[nodiscard]] std::string guest_field(const rpc::Json& device);

/// A short text for an age: "0.3 s", "12 s", "5 min", "3 h".
[[nodiscard]] std::string format_age(std::uint64_t ms);

/// A bar of so many cells, "[#####-----]". It is full only when all is done.
[[nodiscard]] std::string bar(std::uint64_t done, std::uint64_t whole, unsigned cells);

/// "37%", rounded down; "100%" when there was nothing to do.
[[nodiscard]] std::string percent(std::uint64_t done, std::uint64_t whole);

/// Rows under a heading, columns as wide as their widest cell.
class Table {
 public:
  /// @param columns  headings. A heading that begins with '>', which is not printed, aligns its
  ///                 column to the right.
  explicit Table(std::vector<std::string> columns);
  /// @pre there are as many cells as columns.
  void row(std::vector<std::string> cells);
  /// @param cells  the width of a line; nothing: no limit. The last columns are left out until the
  ///               others fit, but the first column stays. A line that is still too long is cut.
  [[nodiscard]] std::string str(std::optional<std::size_t> cells = std::nullopt) const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths() const;

  std::vector<std::vector<std::string>> rows_;
  std::vector<bool> right_;
};

/// A title, a blank line and as many lines of a table as there is room for. Where some are left
/// out, the last line says how many.
/// @param table  a heading and rows, a line each.
/// @return lines of at most `cells` cells, without a line feed at the end.
[[nodiscard]] std::string screenful(std::string_view title, std::string_view table,
                                    std::size_t lines, std::size_t cells);

}  // namespace vballoon::ctl
