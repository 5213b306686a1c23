// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/watch.cpp - a live table of all VMs.
#include <fmt/format.h>

#include <optional>

#include "command.hpp"
#include "format.hpp"
#include "rpc/message.hpp"
#include "terminal.hpp"

namespace vballoon::ctl {
namespace {

using rpc::Json;

/// Asks every running guest for figures without waiting for one; the next look has them.
void ask_guests(Command& command, const Json& devices) {
  for (const Json& device : devices) {
    if (text(device, "state") != "running") continue;
    // A driver without statistics shows as "-"; that is answer enough.
    (void)command.call("device.stats", {{"name", text(device, "name")}, {"timeout_ms", 0}});
  }
}

std::string table_text(const Json& devices) {
  Table table({"NAME", "STATE", ">GUEST", ">TARGET", ">ACTUAL", ">RECLAIMED", ">FREE", ">AVAILABLE",
               ">AGE"});
  for (const Json& device : devices) {
    const Json stats = device.value("stats", Json());
    table.row({text(device, "name"), state_field(device), guest_field(device),
               size_field(device, "target_bytes"), size_field(device, "actual_bytes"),
               size_field(device, "reclaimed_bytes"), size_field(stats, "free_bytes"),
               size_field(stats, "available_bytes"),
               stats.is_object() ? format_age(number(stats, "age_ms")) : "-"});
  }
  return table.str();
}

void show(const Arguments& arguments, bool terminal, const Json& list, const Json& devices) {
  if (arguments.json) {
    fmt::print("{}\n", rpc::dump(list));
  } else if (terminal) {
    return redraw_screen(fmt::format("{} VM{}, every {} s; Ctrl-C ends\n\n{}", devices.size(),
                                     devices.size() == 1 ? "" : "s", arguments.interval_s,
                                     table_text(devices)));
  } else {
    fmt::print("{}\n", table_text(devices));
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

  std::optional<HiddenCursor> hidden;
  if (terminal) hidden.emplace();
  for (unsigned looks = 1;; ++looks) {
    const auto list = command.call("device.list");
    if (!list && interrupt->load(std::memory_order_relaxed)) return kDone;
    if (!list) {
      hidden.reset();
      return complain(command, list.error());
    }
    const Json devices = list->value("devices", Json::array());
    show(arguments, terminal, *list, devices);
    if (looks == arguments.count) return kDone;
    ask_guests(command, devices);
    if (!sleep_unless(interrupt, interval)) return kDone;
  }
}

}  // namespace vballoon::ctl
