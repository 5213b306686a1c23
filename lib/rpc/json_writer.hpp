// SPDX-License-Identifier: BSD-3-Clause
//
// rpc/json_writer.hpp - JSON written from front to back, for results of a thousand rows.
// What it writes is what dump() would: one line, all of it ASCII.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "rpc/error.hpp"

namespace vballoon::rpc {

class JsonWriter {
 public:
  JsonWriter() { text_.reserve(kUsualBytes); }

  void begin_object() { begin('{'); }
  void end_object() { text_ += '}'; }
  void begin_array() { begin('['); }
  void end_array() { text_ += ']'; }

  /// What comes next is the value of this key. @pre Nothing in the key needs an escape.
  void key(std::string_view key);

  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(bool on) { put(on ? "true" : "false"); }
  void value(std::nullptr_t) { put("null"); }
  template <std::unsigned_integral Number>
  void value(Number number) {
    put_number(number);
  }
  /// What nobody knows is null.
  template <typename T>
  void value(const std::optional<T>& known) {
    known ? value(*known) : value(nullptr);
  }
  template <std::same_as<Json> Value>
  void value(const Value& json) {
    put_json(json);
  }

  template <typename T>
  void field(std::string_view name, const T& of) {
    key(name);
    value(of);
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  /// Most results are no longer.
  static constexpr std::size_t kUsualBytes = 256;

  void separate();
  void begin(char bracket);
  void put(std::string_view text);
  void put_number(std::uint64_t number);
  void put_json(const Json& json);

  std::string text_;
};

}  // namespace vballoon::rpc
