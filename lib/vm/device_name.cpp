// SPDX-License-Identifier: BSD-3-Clause
#include "vm/device_name.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace vballoon::vm {
namespace {

constexpr std::size_t kMaxName = 64;

bool is_alnum(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool may_be_in_name(char c) noexcept {
  return is_alnum(c) || c == '.' || c == '_' || c == '-';
}

}  // namespace

Result<void> check_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxName || !is_alnum(name.front()) ||
      !std::all_of(name.begin(), name.end(), may_be_in_name)) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("'{}' is no device name; take 1 to {} letters, digits, '.', '_' or '-', "
                    "a letter or digit first",
                    name, kMaxName));
  }
  return {};
}

}  // namespace vballoon::vm
