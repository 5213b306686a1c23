// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/set.cpp - sets a target, and waits until it is reached.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/size_text.hpp"
#include "command.hpp"
#include "ending.hpp"
#include "format.hpp"
#include "progress.hpp"
#include "terminal.hpp"

namespace vballoon::ctl {
namespace {

using rpc::Json;
using Clock = Progress::Clock;

constexpr std::chrono::milliseconds kLookEvery{100};
constexpr std::chrono::seconds kPlainLineEvery{1};
constexpr unsigned kBarCells = 32;

/// Shows the progress: as a bar on a terminal, as a line a second elsewhere, not with --json.
class Display {
 public:
  Display(const Arguments& arguments, std::uint64_t target)
      : name_(arguments.name),
        target_(target),
        silent_(arguments.json),
        terminal_(!arguments.json && is_terminal()) {}

  void show(const Progress& progress, std::optional<std::uint64_t> known) {
    // Without the guest's size there is nothing to show yet.
    if (silent_ || !known) return;
    const std::uint64_t actual = *known;
    const std::uint64_t done = progress.done_bytes(actual);
    if (terminal_) {
      const std::string figures =
          fmt::format("{:>4}  {} of {}", percent(done, progress.whole_bytes()), format_size(actual),
                      format_size(target_));
      return redraw_line(fmt::format(
          "{} {} {}", name_,
          bar(done, progress.whole_bytes(), bar_cells(name_.size() + figures.size())), figures));
    }
    if (actual == shown_ || Clock::now() < next_) return;
    fmt::print("{}: {} of {}\n", name_, format_size(actual), format_size(target_));
    std::fflush(stdout);
    shown_ = actual;
    next_ = Clock::now() + kPlainLineEvery;
  }

  void end() const {
    if (terminal_) fmt::print("\n");
  }

 private:
  /// @return the width of the bar: what a narrow terminal leaves beside the text.
  [[nodiscard]] static unsigned bar_cells(std::size_t text) {
    constexpr std::size_t kAround = 5;  // brackets, blanks, the cell that stays free
    const std::size_t cells = terminal_size().cells;
    const std::size_t room = cells > text + kAround ? cells - text - kAround : 0;
    return static_cast<unsigned>(std::min<std::size_t>(room, kBarCells));
  }

  const std::string& name_;
  std::uint64_t target_;
  bool silent_;
  bool terminal_;
  std::uint64_t shown_ = ~std::uint64_t{0};
  Clock::time_point next_{};
};

std::optional<std::chrono::seconds> timeout_of(const Arguments& arguments) {
  if (arguments.timeout_s == 0) return std::nullopt;
  return std::chrono::seconds(arguments.timeout_s);
}

rpc::Outcome<Ending> follow(Command& command, std::uint64_t target,
                            const std::atomic<bool>* interrupt) {
  const Arguments& arguments = command.arguments;
  std::optional<Progress> progress;
  Display display(arguments, target);
  Json last;
  for (;;) {
    auto device = command.call("device.show", {{"name", arguments.name}});
    if (!device && interrupt->load(std::memory_order_relaxed)) device = last;
    if (!device) {
      display.end();
      return tl::unexpected(device.error());
    }
    last = *device;
    const auto actual = known(*device, "actual_bytes");
    if (!progress) progress.emplace(target, actual, Clock::now(), timeout_of(arguments));
    display.show(*progress, actual);
    Verdict verdict = progress->see(number(*device, "target_bytes"), actual, Clock::now());
    // The VMM went away, so the target will not be reached.
    if (verdict == Verdict::kGoing && text(*device, "state") == "waiting") {
      verdict = Verdict::kStalled;
    }
    if (verdict == Verdict::kGoing && rests(*device)) verdict = Verdict::kRests;
    if (verdict != Verdict::kGoing || !sleep_unless(interrupt, kLookEvery)) {
      display.end();
      return Ending{verdict, std::move(last)};
    }
  }
}

Json ending_json(const Ending& ending, std::uint64_t target, const std::string& reason) {
  Json json{{"target_bytes", target},
            {"guest_bytes", number(ending.device, "guest_bytes")},
            {"actual_bytes", ending.device.value("actual_bytes", Json())},
            {"reached", reason.empty()}};
  if (!reason.empty()) json["reason"] = reason;
  return json;
}

int print_ending(const Arguments& arguments, const Ending& ending, std::uint64_t target,
                 Clock::duration took) {
  const std::string reason = why_not(ending, target, arguments.timeout_s);
  if (arguments.json) {
    print_json(ending_json(ending, target, reason));
  } else if (reason.empty()) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
    fmt::print("{}: balloon {} of {} guest memory, reached in {}\n", arguments.name,
               size_field(ending.device, "actual_bytes"), size_field(ending.device, "guest_bytes"),
               format_age(static_cast<std::uint64_t>(ms)));
  } else {
    fmt::print(stderr, "vballoonctl: {}: balloon {} of {} wanted: {}\n", arguments.name,
               size_field(ending.device, "actual_bytes"), format_size(target), reason);
  }
  return reason.empty() ? kDone : kRefused;
}

int see_through(Command& command, std::uint64_t target) {
  const std::atomic<bool>* interrupt = catch_interrupt();
  command.client.set_interrupt(interrupt);
  const auto begin = Clock::now();
  const auto ending = follow(command, target, interrupt);
  if (!ending) return complain(command, ending.error());
  return print_ending(command.arguments, *ending, target, Clock::now() - begin);
}

}  // namespace

int run_set(Command& command) {
  const Arguments& arguments = command.arguments;
  Json params{{"name", arguments.name}, {"size", arguments.size}};
  // Sent only where set, because an older daemon refuses the parameter.
  if (arguments.force) params["force"] = true;
  const auto result = command.call("device.set", std::move(params));
  if (!result) return complain(command, result.error());
  print_warnings(command, *result);
  const std::uint64_t target = number(*result, "target_bytes");
  if (arguments.wait) return see_through(command, target);
  if (arguments.json) {
    print_json(*result);
  } else if (number(*result, "guest_bytes") == 0) {
    fmt::print("{}: target {}, kept until its VM shows its memory\n", arguments.name,
               target_field(*result));
  } else {
    fmt::print("{}: target {} of {} guest memory\n", arguments.name, format_size(target),
               size_field(*result, "guest_bytes"));
  }
  return kDone;
}

}  // namespace vballoon::ctl
