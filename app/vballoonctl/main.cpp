// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/main.cpp - arguments, then one command.
// Exit:   0 done, 1 refused, 2 usage error, 3 no daemon answers, 4 done in part.
#include <algorithm>
#include <string>
#include <vector>

#include "base/output.hpp"
#include "command.hpp"
#include "complete.hpp"

int main(int argc, char** argv) {
  return vballoon::with_output_written("vballoonctl", vballoon::ctl::kRefused, [&] {
    // The words after `complete` are an unfinished command line of another command.
    const std::vector<std::string> words(argv + 1, argv + std::max(argc, 1));
    if (!words.empty() && words[0] == "complete") {
      return vballoon::ctl::run_complete({words.begin() + 1, words.end()});
    }
    vballoon::ctl::Arguments arguments;
    if (const auto done = vballoon::ctl::parse_arguments(argc, argv, &arguments)) return *done;
    return vballoon::ctl::run(arguments);
  });
}
