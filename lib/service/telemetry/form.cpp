// SPDX-License-Identifier: BSD-3-Clause
#include "service/telemetry/form.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/printable.hpp"
#include "rpc/message.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;

/// Telemetry takes bytes above 127 for control characters and looks them up before its table of
/// these (22.11). What comes of it is no JSON, so there are none.
std::string text_form(std::string_view text) {
  std::string shown = printable(text);
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  if (shown.size() > kMostText) shown.replace(kMostText - 3, std::string::npos, "...");
  return shown;
}

Json plain_form(const Json& value) {
  if (value.is_number_unsigned()) return value;
  if (value.is_boolean()) return value.get<bool>() ? 1U : 0U;
  if (value.is_string()) return text_form(value.get_ref<const std::string&>());
  if (value.is_null()) return "";
  return text_form(rpc::dump(value));  // a fraction
}

/// An array has items of one kind. Where they are of several, or some are unknown, all are texts.
Json array_form(const Json& array) {
  Json items = Json::array();
  for (const Json& item : array) items.push_back(plain_form(item));
  const bool texts =
      std::any_of(items.begin(), items.end(), [](const Json& item) { return item.is_string(); });
  if (!texts) return items;
  for (Json& item : items) {
    if (!item.is_string()) item = rpc::dump(item);
  }
  return items;
}

/// @return rows as columns, which have an item for each row.
Json columns_of(const Json& rows) {
  Json columns = Json::object();
  for (const Json& row : rows) {
    for (const auto& [key, value] : row.items()) columns[key] = Json::array();
  }
  for (const Json& row : rows) {
    for (auto& [key, column] : columns.items()) column.push_back(row.value(key, Json()));
  }
  return columns;
}

bool has_rows(const Json& value) {
  return value.is_array() && !value.empty() && value.front().is_object();
}

Json object_form(const Json& object) {
  Json out = Json::object();
  for (const auto& [key, value] : object.items()) {
    if (value.is_null() || (value.is_object() && value.empty())) continue;
    if (has_rows(value)) {
      out[key] = object_form(columns_of(value));
    } else if (value.is_object()) {
      out[key] = object_form(value);
    } else {
      out[key] = value.is_array() ? array_form(value) : plain_form(value);
    }
  }
  return out;
}

/// Whether no object and no array in it has too many entries.
bool counts_fit(const Json& value) {
  if (!value.is_structured()) return true;
  if (value.size() > (value.is_object() ? kMostEntries : kMostItems)) return false;
  return std::all_of(value.begin(), value.end(), counts_fit);
}

}  // namespace

Json error_form(std::string_view message) {
  return {{"error", text_form(message)}};
}

Json telemetry_form(const Json& value) {
  Json form = object_form(value.is_array() ? columns_of(value) : value);
  const std::size_t bytes = form.dump().size();
  if (bytes <= kMostBytes && counts_fit(form)) return form;
  return error_form(
      fmt::format("{} bytes are more than telemetry sends; vballoonctl has all of it", bytes));
}

}  // namespace vballoon::service
