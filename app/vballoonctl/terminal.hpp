// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/terminal.hpp - standard output on a terminal, and Ctrl-C.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string_view>

namespace vballoon::ctl {

/// Whether standard output is a terminal that can be redrawn.
[[nodiscard]] bool is_terminal();

/// The terminal's present size, which may change. 24 x 80 where the terminal does not tell it.
struct TerminalSize {
  std::size_t lines = 24;
  std::size_t cells = 80;  ///< a line
};
[[nodiscard]] TerminalSize terminal_size();

/// Replaces the line that the cursor is on, and leaves the cursor there. Cuts a line that does not
/// fit, because a line that wraps cannot be replaced.
void redraw_line(std::string_view line);
/// Replaces the whole screen. @pre the lines fit, and the last one has no line feed.
void redraw_screen(std::string_view lines);

/// Hides the cursor while a table is redrawn; the destructor shows it again.
class HiddenCursor {
 public:
  HiddenCursor();
  ~HiddenCursor();
  HiddenCursor(const HiddenCursor&) = delete;
  HiddenCursor& operator=(const HiddenCursor&) = delete;
};

/// From now on SIGINT and SIGTERM set this flag instead of ending the process.
[[nodiscard]] const std::atomic<bool>* catch_interrupt();

/// Sleeps for `time`. @return false, and early, once *interrupt is set.
bool sleep_unless(const std::atomic<bool>* interrupt, std::chrono::milliseconds time);

}  // namespace vballoon::ctl
