// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/format.hpp - how results look to a person.
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

/// Fields of a reply; an older or newer daemon may leave one out. Text is fit for a terminal.
[[nodiscard]] std::uint64_t number(const rpc::Json& object, std::string_view key);
[[nodiscard]] std::string text(const rpc::Json& object, std::string_view key);

/// The field as a size, "-" where it is absent.
[[nodiscard]] std::string size_field(const rpc::Json& object, std::string_view key);

/// The field where it is a number; null and nothing are nothing.
[[nodiscard]] std::optional<std::uint64_t> known(const rpc::Json& object, std::string_view key);

/// The balloon's target: a size, or a share of a guest that is not known yet.
[[nodiscard]] std::string target_field(const rpc::Json& device);
/// The device's state, and whether it is slow.
[[nodiscard]] std::string state_field(const rpc::Json& device);

/// The guest's memory, "-" while no VMM is connected.
[[nodiscard]] std::string guest_field(const rpc::Json& device);

/// "0.3 s", "12 s", "5 min", "3 h": one glance is enough for an age.
[[nodiscard]] std::string format_age(std::uint64_t ms);

/// "[#####-----]" of so many cells; full only when all is done.
[[nodiscard]] std::string bar(std::uint64_t done, std::uint64_t whole, unsigned cells);

/// "37%", rounded down; "100%" when there was nothing to do.
[[nodiscard]] std::string percent(std::uint64_t done, std::uint64_t whole);

/// Rows under a heading, columns as wide as their widest cell.
class Table {
 public:
  /// @param columns  headings; one that begins with '>' is aligned to the right, without the '>'.
  explicit Table(std::vector<std::string> columns);
  /// @pre As many cells as there are columns.
  void row(std::vector<std::string> cells);
  /// All of it; or what fits into lines of so many cells: the last columns are left out until the
  /// others do, and a line that is still too long is cut. The first column stays.
  [[nodiscard]] std::string str(std::optional<std::size_t> cells = std::nullopt) const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths() const;

  std::vector<std::vector<std::string>> rows_;
  std::vector<bool> right_;
};

/// A title, a blank line and a table, as many of its lines as there is room for. The last one then
/// says how many are left out.
/// @param table  a heading and rows, a line each.
/// @return lines of at most so many cells, without a line feed at the end.
[[nodiscard]] std::string screenful(std::string_view title, std::string_view table,
                                    std::size_t lines, std::size_t cells);

}  // namespace vballoon::ctl
