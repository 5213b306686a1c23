// SPDX-License-Identifier: BSD-3-Clause
#include "format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/printable.hpp"
#include "base/size_text.hpp"

namespace vballoon::ctl {
namespace {

/// The number of blanks between two columns.
constexpr std::size_t kGap = 2;

const rpc::Json* find(const rpc::Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(std::string(key));
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

std::optional<std::uint64_t> known(const rpc::Json& object, std::string_view key) {
  const rpc::Json* field = find(object, key);
  if (field == nullptr || !field->is_number_unsigned()) return std::nullopt;
  return field->get<std::uint64_t>();
}

std::uint64_t number(const rpc::Json& object, std::string_view key) {
  return known(object, key).value_or(0);
}

std::string text(const rpc::Json& object, std::string_view key) {
  const rpc::Json* field = find(object, key);
  return field != nullptr && field->is_string() ? printable(field->get<std::string>()) : "";
}

std::string size_field(const rpc::Json& object, std::string_view key) {
  const auto size = known(object, key);
  return size ? format_size(*size) : "-";
}

std::string target_field(const rpc::Json& device) {
  const rpc::Json* share = find(device, "target_share");
  if (known(device, "target_bytes") || share == nullptr || !share->is_number()) {
    return size_field(device, "target_bytes");
  }
  return fmt::format("{:.6g} %", share->get<double>() * 100);
}

std::string state_field(const rpc::Json& device) {
  return text(device, "state") + (device.value("slow", false) ? ", slow" : "");
}

std::string guest_field(const rpc::Json& device) {
  return number(device, "guest_bytes") == 0 ? "-" : size_field(device, "guest_bytes");
}

std::string format_age(std::uint64_t ms) {
  if (ms < 10'000) return fmt::format("{}.{} s", ms / 1000, ms % 1000 / 100);
  const std::uint64_t seconds = ms / 1000;
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  return fmt::format("{} h", seconds / 3600);
}

std::string bar(std::uint64_t done, std::uint64_t whole, unsigned cells) {
  const double share =
      whole == 0 ? 1.0 : static_cast<double>(std::min(done, whole)) / static_cast<double>(whole);
  const auto full = static_cast<std::size_t>(share * cells);
  return fmt::format("[{}{}]", std::string(full, '#'), std::string(cells - full, '-'));
}

std::string percent(std::uint64_t done, std::uint64_t whole) {
  if (whole == 0 || done >= whole) return "100%";
  return fmt::format(
      "{}%", static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(whole)));
}

Table::Table(std::vector<std::string> columns) {
  for (std::string& column : columns) {
    right_.push_back(column.starts_with('>'));
    if (right_.back()) column.erase(0, 1);
  }
  rows_.push_back(std::move(columns));
}

void Table::row(std::vector<std::string> cells) {
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::widths() const {
  std::vector<std::size_t> widths(right_.size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], columns_of(row[i]));
    }
  }
  return widths;
}

std::string Table::str(std::optional<std::size_t> cells) const {
  auto columns = widths();
  const std::size_t limit = cells.value_or(std::string::npos);
  while (columns.size() > 1 &&
         std::accumulate(columns.begin(), columns.end(), kGap * (columns.size() - 1)) > limit) {
    columns.pop_back();
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const std::string blanks(columns[i] - columns_of(row[i]), ' ');
      line += right_[i] ? blanks + row[i] : row[i] + blanks;
      line.append(kGap, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out.append(first_columns(line, limit)).append("\n");
  }
  return out;
}

std::string screenful(std::string_view title, std::string_view table, std::size_t lines,
                      std::size_t cells) {
  constexpr std::size_t kAbove = 3;  // the title, a blank line, the heading
  std::vector<std::string_view> rows;
  for (std::size_t end = 0; (end = table.find('\n')) != std::string_view::npos;) {
    rows.push_back(table.substr(0, end));
    table.remove_prefix(end + 1);
  }
  std::string out = fmt::format("{}\n\n", first_columns(title, cells));
  const std::size_t room = std::max(lines, kAbove + 1) - kAbove;
  const std::size_t there = rows.empty() ? 0 : rows.size() - 1;
  const std::size_t shown = there <= room ? there : room - 1;
  for (std::size_t i = 0; i < rows.size() && i <= shown; ++i) out.append(rows[i]).append("\n");
  if (shown < there) {
    out += first_columns(fmt::format("... and {} more; `vballoonctl list` has all", there - shown),
                         cells);
  } else {
    out.pop_back();
  }
  return out;
}

}  // namespace vballoon::ctl
