// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/complete.hpp - the words that may stand next on a command line, for the shell's
//                            completion.
// `vballoonctl complete WORD...` prints them, a word a line; completion.bash runs that.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace vballoon::ctl {

/// Returns the names of VMs. Called only where such a name may stand.
/// @param rpc  the daemon's socket, if the command line names it; else empty.
using VmNames = std::function<std::vector<std::string>(const std::string& rpc)>;

/// @param words  the words after the program's name. The last one is unfinished, and may be empty.
/// @return the words that begin as the last word does. A setting ends in '=': its value follows.
[[nodiscard]] std::vector<std::string> complete(const std::vector<std::string>& words,
                                                const VmNames& vm_names);

/// Prints the words. Asks the daemon for names of VMs; prints no names where none answers.
[[nodiscard]] int run_complete(const std::vector<std::string>& words);

}  // namespace vballoon::ctl
