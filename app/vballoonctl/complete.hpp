// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/complete.hpp - what may stand next on a command line, for the shell's completion.
// `vballoonctl complete WORD...` prints it, a word a line; completion.bash asks that.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace vballoon::ctl {

/// Names of VMs, asked for only where one may stand.
/// @param rpc  socket of the daemon, as the line has it; or empty.
using VmNames = std::function<std::vector<std::string>(const std::string& rpc)>;

/// @param words  those after the program's name; the last one is unfinished, and may be empty.
/// @return what begins as the last word does. A setting ends in '=', its value is still to come.
[[nodiscard]] std::vector<std::string> complete(const std::vector<std::string>& words,
                                                const VmNames& vm_names);

/// Asks the daemon; silent where none answers.
[[nodiscard]] int run_complete(const std::vector<std::string>& words);

}  // namespace vballoon::ctl
