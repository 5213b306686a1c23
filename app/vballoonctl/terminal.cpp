// SPDX-License-Identifier: BSD-3-Clause
#include "terminal.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/printable.hpp"

namespace vballoon::ctl {
namespace {

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "written by a signal handler");

void on_interrupt(int) {
  interrupted.store(true, std::memory_order_relaxed);
}

void write_out(std::string_view bytes) {
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

bool is_terminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) != 0 && term != nullptr && std::string_view(term) != "dumb";
}

TerminalSize terminal_size() {
  winsize told{};
  TerminalSize size;
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &told) != 0) return size;
  if (told.ws_row != 0) size.lines = told.ws_row;
  if (told.ws_col != 0) size.cells = told.ws_col;
  return size;
}

void redraw_line(std::string_view line) {
  // The last cell stays free: many terminals go to the next line when it is written.
  write_out(fmt::format("\r{}\x1b[K", first_columns(line, terminal_size().cells - 1)));
}

void redraw_screen(std::string_view lines) {
  // From the top, clears each line to its end and then everything below, which does not flicker.
  std::string out = "\x1b[H";
  for (const char c : lines) {
    if (c == '\n') out += "\x1b[K";
    out += c;
  }
  write_out(out + "\x1b[K\x1b[J");
}

HiddenCursor::HiddenCursor() {
  write_out("\x1b[?25l\x1b[2J");
}
HiddenCursor::~HiddenCursor() {
  write_out("\x1b[?25h");
}

const std::atomic<bool>* catch_interrupt() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  // Without SA_RESTART, so that a signal ends a system call that waits.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return &interrupted;
}

bool sleep_unless(const std::atomic<bool>* interrupt, std::chrono::milliseconds time) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + time;
  while (!interrupt->load(std::memory_order_relaxed)) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0) return true;
    // Sleeps in slices: a signal between the check and poll() is then seen after one of them.
    (void)::poll(nullptr, 0, static_cast<int>(std::min<std::int64_t>(left.count(), 200)));
  }
  return false;
}

}  // namespace vballoon::ctl
