// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/format.cpp - see format.hpp.
#include "format.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/size_text.hpp"

namespace vballoon::ctl {
namespace {

const rpc::Json* find(const rpc::Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(std::string(key));
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

std::uint64_t number(const rpc::Json& object, std::string_view key) {
  const rpc::Json* field = find(object, key);
  return field != nullptr && field->is_number_unsigned() ? field->get<std::uint64_t>() : 0;
}

std::string text(const rpc::Json& object, std::string_view key) {
  const rpc::Json* field = find(object, key);
  return field != nullptr && field->is_string() ? field->get<std::string>() : "";
}

std::string size_field(const rpc::Json& object, std::string_view key) {
  const rpc::Json* field = find(object, key);
  if (field == nullptr || !field->is_number_unsigned()) return "-";
  return format_size(field->get<std::uint64_t>());
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

std::string Table::str() const {
  std::vector<std::size_t> widths(right_.size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      line += right_[i] ? fmt::format("{:>{}}  ", row[i], widths[i])
                        : fmt::format("{:<{}}  ", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace vballoon::ctl
