// SPDX-License-Identifier: BSD-3-Clause
//
// tests/soak/main.cpp - hostile drivers on all devices of a daemon but one, and an honest VM there.
//
//   soak [--seconds 60] [--drivers 64] [--seed 1] [--json FILE] [--judge-latency] [--spin]
//
// VBALLOOND names the daemon. Exit status 0 when all is well, 1 when something is not, 2 when it
// did not run.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>

#include "run.hpp"

namespace vballoon::soak {
namespace {

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  if (const char* const daemon = std::getenv("VBALLOOND")) options.daemon = daemon;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--judge-latency") {
      options.judge_latency = true;
      continue;
    }
    if (word == "--spin") {
      options.lcores = Lcores::kOneThatSpins;
      continue;
    }
    if (i + 1 == argc) return std::nullopt;
    const char* const value = argv[++i];
    if (word == "--seconds") {
      options.storm = std::chrono::seconds(std::strtoul(value, nullptr, 10));
    } else if (word == "--drivers") {
      options.drivers = static_cast<unsigned>(std::strtoul(value, nullptr, 10));
    } else if (word == "--seed") {
      options.seed = std::strtoull(value, nullptr, 0);
    } else if (word == "--json") {
      options.json = value;
    } else {
      return std::nullopt;
    }
  }
  if (options.daemon.empty()) return std::nullopt;
  return options;
}

int run(const Options& options) {
  Run run(options);
  const auto wrong = run.go();
  const nlohmann::json figures(run.figures());
  fmt::print("{}\n", figures.dump(2));
  if (!options.json.empty()) std::ofstream(options.json) << figures.dump(2) << '\n';
  for (const std::string& what : wrong) fmt::print(stderr, "soak: {}\n", what);
  if (!wrong.empty()) fmt::print(stderr, "soak: the seed was {}\n", options.seed);
  return wrong.empty() ? 0 : 1;
}

}  // namespace
}  // namespace vballoon::soak

int main(int argc, char** argv) {
  const auto options = vballoon::soak::parse(argc, argv);
  if (!options) {
    fmt::print(stderr,
               "soak [--seconds N] [--drivers N] [--seed N] [--json FILE] "
               "[--judge-latency] [--spin]; VBALLOOND names the daemon\n");
    return 2;
  }
  try {
    return vballoon::soak::run(*options);
  } catch (const std::exception& e) {
    fmt::print(stderr, "soak: {}\n", e.what());
    return 2;
  }
}
