// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/watch.cpp - a live table of all VMs.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "command.hpp"
#include "format.hpp"
#include "rpc/message.hpp"
#include "terminal.hpp"

namespace vballoon::ctl {
namespace {

using rpc::Json;

/// The time for guests to answer before each look. A guest that takes longer shows older figures.
constexpr std::chrono::milliseconds kAnswers{200};

/// Asks every running guest for figures, and waits for none.
void ask_guests(Command& command, const Json& devices) {
  for (const Json& device : devices) {
    if (text(device, "state") != "running") continue;
    // An error only says that the driver has no statistics, and the table shows "-" then.
    (void)command.call("device.stats", {{"name", text(device, "name")}, {"timeout_ms", 0}});
  }
}

Table table_of(const Json& devices) {
  Table table({"NAME", "STATE", ">GUEST", ">TARGET", ">ACTUAL", ">RECLAIMED", ">FREE", ">AVAILABLE",
               ">AGE"});
  for (const Json& device : devices) {
    const Json stats = device.value("stats", Json());
    table.row({text(device, "name"), state_field(device), guest_field(device), target_field(device),
               size_field(device, "actual_bytes"), size_field(device, "reclaimed_bytes"),
               size_field(stats, "free_bytes"), size_field(stats, "available_bytes"),
               stats.is_object() ? format_age(number(stats, "age_ms")) : "-"});
  }
  return table;
}

void show(const Arguments& arguments, bool terminal, const Json& list, const Json& devices) {
  if (arguments.json) {
    fmt::print("{}\n", rpc::dump(list));
  } else if (terminal) {
    const TerminalSize size = terminal_size();
    const std::string title = fmt::format("{} VM{}, every {} s; Ctrl-C ends", devices.size(),
                                          devices.size() == 1 ? "" : "s", arguments.interval_s);
    return redraw_screen(
        screenful(title, table_of(devices).str(size.cells), size.lines, size.cells));
  } else {
    fmt::print("{}\n", table_of(devices).str());
  }
  std::fflush(stdout);
}

}  // namespace

int run_watch(Command& command) {
  const Arguments& arguments = command.arguments;
  const bool terminal = !arguments.json && is_terminal();
  const std::atomic<bool>* interrupt = catch_interrupt();
  command.client.set_interrupt(interrupt);
  const auto interval =
      std::chrono::milliseconds(static_cast<std::int64_t>(arguments.interval_s * 1000));
  const auto answers = std::min(kAnswers, interval);

  std::optional<HiddenCursor> hidden;
  if (terminal) hidden.emplace();
  for (unsigned looks = 1;; ++looks) {
    auto list = command.call("device.list");
    if (list) {
      ask_guests(command, list->value("devices", Json::array()));
      if (!sleep_unless(interrupt, answers)) return kDone;
      list = command.call("device.list");
    }
    if (!list && interrupt->load(std::memory_order_relaxed)) return kDone;
    if (!list) {
      hidden.reset();
      return complain(command, list.error());
    }
    show(arguments, terminal, *list, list->value("devices", Json::array()));
    if (looks == arguments.count) {
      if (terminal) fmt::print("\n");
      return kDone;
    }
    if (!sleep_unless(interrupt, interval - answers)) return kDone;
  }
}

}  // namespace vballoon::ctl
