// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/events.cpp - what happens to VMs, a line each, until Ctrl-C.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <utility>

#include "command.hpp"
#include "format.hpp"
#include "rpc/message.hpp"
#include "terminal.hpp"

namespace vballoon::ctl {
namespace {

using Clock = std::chrono::steady_clock;
using rpc::Json;

/// Shorter than the patience of a call.
constexpr std::uint64_t kWaitMs = 5000;
/// How long the next daemon may take to come.
constexpr std::chrono::seconds kDaemonMayBeGone{15};
constexpr std::chrono::milliseconds kBetweenTries{200};

std::string time_text(std::uint64_t ms) {
  return fmt::format("{:%F %T}", fmt::localtime(static_cast<std::time_t>(ms / 1000)));
}

class Follower {
 public:
  explicit Follower(Command& command)
      : command_(command), interrupt_(catch_interrupt()), from_({{"timeout_ms", 0}}) {
    command.client.set_interrupt(interrupt_);
    if (command.arguments.all) from_.update({{"after", 0}, {"daemon", 0}});
  }

  int run() {
    for (bool first = true;; first = false) {
      const auto answer = ask();
      if (interrupted()) return kDone;
      if (!answer) return complain(command_, answer.error());
      tell(*answer, first);
      if (enough()) return kDone;
      from_ = {{"after", number(*answer, "last")},
               {"daemon", number(*answer, "daemon")},
               {"timeout_ms", kWaitMs}};
    }
  }

 private:
  [[nodiscard]] bool interrupted() const { return interrupt_->load(std::memory_order_relaxed); }
  [[nodiscard]] bool enough() const {
    return command_.arguments.count != 0 && told_ >= command_.arguments.count;
  }

  /// A daemon that is gone may be followed by another one: the answer is that one's then.
  rpc::Outcome<Json> ask() {
    auto answer = command_.call("events.wait", from_);
    const auto until = Clock::now() + kDaemonMayBeGone;
    // A refusal is the daemon's own word.
    if (!answer && answer.error().code == rpc::kForbidden) return answer;
    while (!answer && status_of(answer.error()) == kNoDaemon && !interrupted() &&
           Clock::now() < until) {
      if (!sleep_unless(interrupt_, kBetweenTries)) break;
      auto client = rpc::Client::connect(command_.client.path());
      if (!client) {
        answer = tl::unexpected(client.error());
        continue;
      }
      command_.client = std::move(*client);
      command_.client.set_interrupt(interrupt_);
      answer = command_.call("events.wait", from_);
    }
    return answer;
  }

  void tell(const Json& answer, bool first) {
    if (!first && answer.value("another_daemon", false)) {
      note({{"another_daemon", true}}, "another daemon goes on");
    }
    if (const std::uint64_t lost = number(answer, "lost"); lost != 0) {
      note({{"lost", lost}}, fmt::format("{} earlier events are not kept any more", lost));
    }
    for (const Json& event : answer.value("events", Json::array())) {
      if (enough()) break;
      tell_event(event);
      ++told_;
    }
    std::fflush(stdout);
  }

  void tell_event(const Json& event) const {
    if (command_.arguments.json) return fmt::print("{}\n", rpc::dump(event));
    fmt::print("{}  {:<12}  {:<13}  {}\n", time_text(number(event, "at_ms")), text(event, "vm"),
               text(event, "kind"), text(event, "text"));
    if (const std::uint64_t untold = number(event, "untold"); untold != 0) {
      fmt::print("-- {} events of {} before this one were too many to be told\n", untold,
                 text(event, "vm"));
    }
  }

  void note(const Json& json, std::string_view words) const {
    if (command_.arguments.json) {
      fmt::print("{}\n", rpc::dump(json));
    } else {
      fmt::print("-- {}\n", words);
    }
  }

  Command& command_;
  const std::atomic<bool>* interrupt_;
  Json from_;
  std::uint64_t told_ = 0;
};

}  // namespace

int run_events(Command& command) {
  return Follower(command).run();
}

}  // namespace vballoon::ctl
