// SPDX-License-Identifier: BSD-3-Clause
#include "support/figures.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace vballoon::perf {

void Figures::print() const {
  const nlohmann::json all{{"figures", values_}, {"missing", missing_}};
  fmt::print("{}\n", all.dump(2));
}

void progress(std::string_view what) {
  fmt::print(stderr, "  {}\n", what);
}

void give_up(std::string_view why) {
  fmt::print(stderr, "error: {}\n", why);
  std::exit(1);
}

}  // namespace vballoon::perf
