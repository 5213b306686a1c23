// SPDX-License-Identifier: BSD-3-Clause
//
// support/figures.hpp - what a bench found out: numbers by key, and keys it could not fill.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace vballoon::perf {

/// Written to standard output as one JSON object, which perf/run merges into results.json.
class Figures {
 public:
  void set(const std::string& key, double value) { values_[key] = value; }

  /// A figure that this machine cannot give. Shown as loudly as a bar that was not met.
  void missing(const std::string& key, std::string why) { missing_[key] = std::move(why); }

  [[nodiscard]] double at(const std::string& key) const { return values_.at(key); }
  void print() const;

 private:
  std::map<std::string, double> values_;
  std::map<std::string, std::string> missing_;
};

/// One line to standard error: which of the long steps runs now.
void progress(std::string_view what);

/// For what a bench cannot go on without: prints the reason, exits with status 1.
[[noreturn]] void give_up(std::string_view why);

/// Takes a Result apart; a bench has no way to go on after an error.
template <typename T>
auto or_give_up(T result) {
  if (!result) give_up(result.error().message);
  if constexpr (!std::is_void_v<typename T::value_type>) return std::move(*result);
}

}  // namespace vballoon::perf
