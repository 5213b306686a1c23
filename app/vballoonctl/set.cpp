// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/set.cpp - sets a target, and waits until it is reached.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/size_text.hpp"
#include "choice.hpp"
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
  Display(const Arguments& arguments, const std::string& name, std::uint64_t target)
      : name_(name),
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

rpc::Outcome<Ending> follow(Command& command, const std::string& name, std::uint64_t target,
                            const std::atomic<bool>* interrupt) {
  const Arguments& arguments = command.arguments;
  std::optional<Progress> progress;
  Display display(arguments, name, target);
  Json last;
  for (;;) {
    auto device = command.call("device.show", {{"name", name}});
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

/// What came of the command for one VM.
struct Told {
  int status = kDone;
  Json json = {};  ///< what --json prints
};

Told tell_error(const Command& command, const rpc::Error& error) {
  if (!command.arguments.json) complain(false, error);
  return {status_of(error), {{"error", rpc::to_json(error)}}};
}

Told tell_ending(const Arguments& arguments, const std::string& name, const Ending& ending,
                 std::uint64_t target, Clock::duration took) {
  const std::string reason = why_not(ending, target, arguments.timeout_s);
  const int status = reason.empty() ? kDone : kPartly;
  if (arguments.json) return {status, ending_json(ending, target, reason)};
  if (reason.empty()) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
    fmt::print("{}: balloon {} of {} guest memory, reached in {}\n", name,
               size_field(ending.device, "actual_bytes"), size_field(ending.device, "guest_bytes"),
               format_age(static_cast<std::uint64_t>(ms)));
  } else {
    fmt::print(stderr, "vballoonctl: {}: balloon {} of {} wanted: {}\n", name,
               size_field(ending.device, "actual_bytes"), format_size(target), reason);
  }
  return {status};
}

void print_target(const std::string& name, const Json& result) {
  if (number(result, "guest_bytes") == 0) {
    fmt::print("{}: target {}, kept until its VM shows its memory\n", name, target_field(result));
  } else {
    fmt::print("{}: target {} of {} guest memory\n", name,
               format_size(number(result, "target_bytes")), size_field(result, "guest_bytes"));
  }
}

/// A new target of one VM: set, then followed.
class Retarget {
 public:
  Retarget(Command& command, std::string name) : command_(command), name_(std::move(name)) {}

  void set() {
    const Arguments& arguments = command_.arguments;
    Json params{{"name", name_}, {"size", arguments.size}};
    // Sent only where set, because an older daemon refuses the parameter.
    if (arguments.force) params["force"] = true;
    begun_ = Clock::now();
    auto result = command_.call("device.set", std::move(params));
    if (!result) {
      told_ = tell_error(command_, result.error());
      return;
    }
    print_warnings(command_, name_, *result);
    target_ = number(*result, "target_bytes");
    if (!arguments.wait && !arguments.json) print_target(name_, *result);
    told_.json = std::move(*result);
  }
  /// Until the target is reached or given up.
  void see_through(const std::atomic<bool>* interrupt) {
    if (told_.status != kDone) return;
    const auto ending = follow(command_, name_, target_, interrupt);
    told_ = ending ? tell_ending(command_.arguments, name_, *ending, target_, Clock::now() - begun_)
                   : tell_error(command_, ending.error());
  }
  [[nodiscard]] const Told& told() const noexcept { return told_; }
  [[nodiscard]] Json named_json() const {
    Json json{{"name", name_}};
    json.update(told_.json);
    return json;
  }

 private:
  Command& command_;
  std::string name_;
  Clock::time_point begun_;
  std::uint64_t target_ = 0;
  Told told_;
};

/// Every target is set before the first one is waited for, so the VMs move side by side.
void set_all(Command& command, std::vector<Retarget>* targets) {
  for (Retarget& one : *targets) one.set();
  if (!command.arguments.wait) return;
  const std::atomic<bool>* const interrupt = catch_interrupt();
  command.client.set_interrupt(interrupt);
  for (Retarget& one : *targets) one.see_through(interrupt);
}

/// @return the status that all VMs have, or else kPartly.
int status_of(const std::vector<Retarget>& targets) {
  const int first = targets.front().told().status;
  const auto same = [first](const Retarget& one) { return one.told().status == first; };
  return std::ranges::all_of(targets, same) ? first : int{kPartly};
}

rpc::Outcome<std::vector<std::string>> chosen(Command& command) {
  const auto listed = command.call("device.list");
  if (!listed) return tl::unexpected(listed.error());
  std::vector<std::string> names;
  for (const Json& device : listed->value("devices", Json::array())) {
    names.push_back(text(device, "name"));
  }
  if (command.arguments.all) return names;
  return choose(command.arguments.name, names);
}

int set_several(Command& command) {
  const auto names = chosen(command);
  if (!names) return complain(command, names.error());
  std::vector<Retarget> targets;
  for (const std::string& name : *names) targets.emplace_back(command, name);
  set_all(command, &targets);
  if (command.arguments.json) {
    Json all = Json::array();
    for (const Retarget& one : targets) all.push_back(one.named_json());
    print_json(all);
  }
  return targets.empty() ? int{kDone} : status_of(targets);
}

}  // namespace

int run_set(Command& command) {
  const Arguments& arguments = command.arguments;
  if (arguments.all || is_choice(arguments.name)) return set_several(command);
  std::vector<Retarget> targets;
  targets.emplace_back(command, arguments.name);
  set_all(command, &targets);
  if (arguments.json) print_json(targets.front().told().json);
  return targets.front().told().status;
}

}  // namespace vballoon::ctl
