// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/main.cpp - arguments, then one command.
// Exit:   0 done, 1 refused or not reached, 2 usage, 3 no daemon answers.
#include "base/output.hpp"
#include "command.hpp"

int main(int argc, char** argv) {
  return vballoon::with_output_written("vballoonctl", vballoon::ctl::kRefused, [&] {
    vballoon::ctl::Arguments arguments;
    if (const auto done = vballoon::ctl::parse_arguments(argc, argv, &arguments)) return *done;
    return vballoon::ctl::run(arguments);
  });
}
