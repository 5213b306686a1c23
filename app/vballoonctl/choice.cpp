// SPDX-License-Identifier: BSD-3-Clause
#include "choice.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <set>

namespace vballoon::ctl {
namespace {

constexpr std::string_view kPattern = "*?[";

bool is_pattern(std::string_view text) noexcept {
  return text.find_first_of(kPattern) != std::string_view::npos;
}

bool fits(const std::string& part, const std::string& name) {
  return is_pattern(part) ? ::fnmatch(part.c_str(), name.c_str(), 0) == 0 : part == name;
}

std::string no_vm(const std::string& part) {
  if (is_pattern(part)) return fmt::format("no VM has a name like '{}'", part);
  return fmt::format("there is no VM '{}'", part);
}

}  // namespace

bool is_choice(std::string_view text) noexcept {
  return text.find(',') != std::string_view::npos || is_pattern(text);
}

rpc::Outcome<std::vector<std::string>> choose(std::string_view text,
                                              const std::vector<std::string>& names) {
  std::set<std::string> meant;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string part(text.substr(at, comma - at));
    at = comma + 1;
    bool any = false;
    for (const std::string& name : names) {
      if (!fits(part, name)) continue;
      meant.insert(name);
      any = true;
    }
    if (!any) return rpc::refuse(rpc::kNotFound, no_vm(part));
  }
  std::vector<std::string> chosen;
  std::ranges::copy_if(names, std::back_inserter(chosen),
                       [&meant](const std::string& name) { return meant.contains(name); });
  return chosen;
}

}  // namespace vballoon::ctl
