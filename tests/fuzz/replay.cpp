// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/replay.cpp - runs a target over the files of a folder, each once: no clang needed.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz_input.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  unsigned files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    vballoon::fuzz::run(vballoon::fuzz::Input(std::as_bytes(std::span(bytes))));
    ++files;
  }
  fmt::print("{} inputs\n", files);
  return files != 0 ? 0 : 1;
}
