// SPDX-License-Identifier: BSD-3-Clause
#include "base/group.hpp"

#include <fmt/format.h>
#include <grp.h>

#include <charconv>

namespace vballoon {
namespace {

std::optional<gid_t> to_number(std::string_view text) {
  gid_t number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  // The largest means "as it is" to the kernel.
  if (error != std::errc{} || end != last || number == static_cast<gid_t>(-1)) return std::nullopt;
  return number;
}

}  // namespace

Result<std::optional<gid_t>> find_group(const std::string& name, std::string_view key) {
  if (name.empty()) return std::nullopt;
  if (const group* found = ::getgrnam(name.c_str()); found != nullptr) return found->gr_gid;
  if (const auto number = to_number(name)) return number;
  return fail(
      Code::kInvalidArgument,
      fmt::format("{}: there is no group '{}'; groupadd it, or leave the key out", key, name));
}

}  // namespace vballoon
