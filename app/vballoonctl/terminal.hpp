// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/terminal.hpp - standard output when a person looks at it, and Ctrl-C.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string_view>

namespace vballoon::ctl {

/// Standard output is a terminal that can be redrawn.
[[nodiscard]] bool is_terminal();

/// Of the terminal as it is now; people change it meanwhile. 24 x 80 where it does not tell.
struct TerminalSize {
  std::size_t lines = 24;
  std::size_t cells = 80;  ///< a line
};
[[nodiscard]] TerminalSize terminal_size();

/// Replaces the line the cursor is on; leaves the cursor there. What does not fit is cut: a line
/// that wraps cannot be replaced.
void redraw_line(std::string_view line);
/// Replaces the whole screen. @pre  The lines fit: no line feed behind the last one.
void redraw_screen(std::string_view lines);

/// No cursor while a table is redrawn; it comes back with the end of this.
class HiddenCursor {
 public:
  HiddenCursor();
  ~HiddenCursor();
  HiddenCursor(const HiddenCursor&) = delete;
  HiddenCursor& operator=(const HiddenCursor&) = delete;
};

/// From now on SIGINT and SIGTERM set this flag instead of ending the process.
[[nodiscard]] const std::atomic<bool>* catch_interrupt();

/// Sleeps; ends early, and returns false, once *interrupt is set.
bool sleep_unless(const std::atomic<bool>* interrupt, std::chrono::milliseconds time);

}  // namespace vballoon::ctl
