// SPDX-License-Identifier: BSD-3-Clause
//
// base/lines.hpp - the lines of a text.
#pragma once

#include <sstream>
#include <string>
#include <vector>

namespace vballoon {

[[nodiscard]] inline std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream rest(text);
  for (std::string line; std::getline(rest, line);) lines.push_back(std::move(line));
  return lines;
}

}  // namespace vballoon
