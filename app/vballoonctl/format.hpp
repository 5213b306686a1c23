// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/format.hpp - how results look to a person.
// Layer:  app; may include base/ and rpc/. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/error.hpp"

namespace vballoon::ctl {

/// Fields of a reply; an older or newer daemon may leave one out.
[[nodiscard]] std::uint64_t number(const rpc::Json& object, std::string_view key);
[[nodiscard]] std::string text(const rpc::Json& object, std::string_view key);

/// The field as a size, "-" where it is absent.
[[nodiscard]] std::string size_field(const rpc::Json& object, std::string_view key);

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
  [[nodiscard]] std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<bool> right_;
};

}  // namespace vballoon::ctl
