// SPDX-License-Identifier: BSD-3-Clause
//
// service/config/keys.hpp - the keys of the configuration file. go_through() names each key, with
//                           its type and range, to code that reads, prints or compares keys.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/config/config.hpp"

namespace vballoon::service {

/// The bounds of a whole number, both included, and its unit.
struct Range {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::string_view unit;
};

/// Code that does something with each key of a table: sets its value, or looks at the value.
class Keys {
 public:
  using Body = std::function<void(Keys&)>;
  using Words = std::span<const std::string_view>;

  virtual ~Keys() = default;

  /// A table within this one; the body goes through its keys.
  virtual void table(std::string_view name, const Body& body) = 0;

  virtual void flag(std::string_view key, bool* value) = 0;
  /// @param expected  completes "must be ..." in the error for another type; more precise than "a
  ///                  text in quotes" where not every text is valid.
  virtual void text(std::string_view key, std::string* value, std::string_view expected) = 0;
  void text(std::string_view key, std::string* value) { text(key, value, "a text in quotes"); }
  virtual void texts(std::string_view key, std::vector<std::string>* value) = 0;
  virtual void word(std::string_view key, std::string* value, Words words) = 0;
  virtual void number(std::string_view key, std::uint64_t* value, const Range& range) = 0;
  /// A number that need not be set.
  virtual void number(std::string_view key, std::optional<unsigned>* value, const Range& range) = 0;
  /// A list of numbers, or one of the words. With a word the list is empty; with a list *word is.
  virtual void numbers(std::string_view key, std::vector<unsigned>* value, const Range& range,
                       std::string* word, Words words) = 0;

  /// Says that the value of a key cannot be, for a reason beyond its type and range.
  virtual void refuse(std::string_view key, const std::string& why) = 0;
  /// Nothing is wrong in the table so far: its values may be compared with one another.
  [[nodiscard]] virtual bool good() const noexcept = 0;
};

/// All keys but those of devices.
void go_through(Keys& top, Config* config);

/// Those of one [[device]].
void go_through(Keys& device, vm::Settings* settings);

}  // namespace vballoon::service
