// SPDX-License-Identifier: BSD-3-Clause
#include "rpc/json_writer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "rpc/message.hpp"

namespace vballoon::rpc {
namespace {

bool is_plain(std::string_view text) noexcept {
  return std::ranges::all_of(text,
                             [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

}  // namespace

/// A comma, but for the first of a kind. No text ends in one of these: it ends in a quote.
void JsonWriter::separate() {
  if (text_.empty()) return;
  const char last = text_.back();
  if (last != '{' && last != '[' && last != ':') text_ += ',';
}

void JsonWriter::begin(char bracket) {
  separate();
  text_ += bracket;
}

void JsonWriter::put(std::string_view text) {
  separate();
  text_ += text;
}

void JsonWriter::put_number(std::uint64_t number) {
  const fmt::format_int digits(number);
  put({digits.data(), digits.size()});
}

void JsonWriter::key(std::string_view key) {
  separate();
  text_ += '"';
  text_ += key;
  text_ += "\":";
}

void JsonWriter::value(std::string_view text) {
  // Paths may hold any byte.
  if (!is_plain(text)) return put_json(Json(text));
  separate();
  text_ += '"';
  text_ += text;
  text_ += '"';
}

/// A serializer allocates memory for each value, so null and unsigned numbers do without one.
void JsonWriter::put_json(const Json& json) {
  if (json.is_null()) return put("null");
  if (json.is_number_unsigned()) return put_number(json.get<std::uint64_t>());
  put(dump(json));
}

}  // namespace vballoon::rpc
