// SPDX-License-Identifier: BSD-3-Clause
//
// base/output.hpp - what was printed has to arrive: a full disk is a failure.
#pragma once

#include <functional>
#include <string_view>

namespace vballoon {

/// The last thing that a program does: runs its body and writes out standard output.
/// @param program  the name that a complaint on standard error begins with.
/// @param failed   exit status where not everything could be written.
/// @return the body's status, or `failed` where that is 0 and output was lost.
[[nodiscard]] int with_output_written(std::string_view program, int failed,
                                      const std::function<int()>& body);

/// For a program that goes on without anybody reading it. @return false when the line was lost.
bool say_line(std::string_view line) noexcept;

}  // namespace vballoon
