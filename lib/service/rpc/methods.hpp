// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/methods.hpp - every RPC method by name: parameters in, result out.
// Knows nothing of sockets.
// Thread: the control thread.
#pragma once

#include <fmt/format.h>

#include <asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "policy/autopilot.hpp"
#include "rpc/message.hpp"
#include "service/events/event_log.hpp"
#include "service/rpc/daemon_counters.hpp"
#include "service/rpc/stats_waiter.hpp"
#include "service/succession.hpp"
#include "service/vm_settings.hpp"
#include "vm/fleet.hpp"

namespace vballoon::service {

class Methods {
 public:
  /// @param version     the result of `version`.
  /// @param succession  outlives this; null: there was no daemon before, and nobody starts a next.
  Methods(asio::io_context& loop, vm::Fleet& fleet, policy::Autopilot& autopilot,
          VmSettings& settings, rpc::Json version, const Succession* succession = nullptr)
      : fleet_(fleet),
        autopilot_(autopilot),
        settings_(settings),
        stats_(loop, fleet),
        events_(loop, started_ms_),
        version_(std::move(version)),
        succession_(succession) {}

  /// Answers at once, except for device.stats, which waits for its guest, and events.wait.
  void call(const rpc::Request& request, Asker asker, Responder done);
  /// The asker is gone: what waits for it is dropped, without an answer.
  void forget(Asker asker) {
    stats_.forget(asker);
    events_.forget(asker);
  }

  /// @return whether the method changes something; asking a guest for its figures does not. A name
  ///         that is unknown changes nothing.
  [[nodiscard]] static bool changes(std::string_view method);

  /// The recorder adds what happened.
  [[nodiscard]] EventLog& events() noexcept { return events_; }

  /// Sessions and the daemon count here what clients and reloads did.
  [[nodiscard]] DaemonCounters& counters() noexcept { return counters_; }

  /// Drops the requests that still wait, without an answer.
  void stop() {
    stats_.stop();
    events_.stop();
  }

  using Answer = rpc::Outcome<rpc::Body>;

 private:
  struct Method;
  static const Method kMethods[];
  static const Method* find(std::string_view name);  // null: there is no such method

  Answer version(const rpc::Json& params);
  Answer list(const rpc::Json& params);
  Answer show(const rpc::Json& params);
  Answer set(const rpc::Json& params);
  Answer add(const rpc::Json& params);
  Answer configure(const rpc::Json& params);
  Answer remove(const rpc::Json& params);
  Answer inhibit(const rpc::Json& params);
  Answer prefault(const rpc::Json& params);
  Answer reporting(const rpc::Json& params);
  Answer hint(const rpc::Json& params);
  Answer move(const rpc::Json& params);
  Answer readmit(const rpc::Json& params);
  Answer lcores(const rpc::Json& params);
  Answer policy_show(const rpc::Json& params);
  Answer policy_explain(const rpc::Json& params);
  Answer policy_auto(const rpc::Json& params);
  Answer restarts(const rpc::Json& params);
  Answer upgrade(const rpc::Json& params);
  Answer metrics(const rpc::Json& params);
  /// What an operator has to know of the daemon, whatever he asked.
  [[nodiscard]] std::vector<std::string> warnings() const;
  void stats(const rpc::Json& params, Asker asker, Responder done);
  void wait_for_events(const rpc::Json& params, Asker asker, Responder done);

  /// Logs what a client changed. A client may ask as often as it likes, so lines beyond the gate's
  /// rate are not logged, and their text is not made.
  void say(const std::function<std::string()>& what);
  template <typename... Args>
  void say(fmt::format_string<Args...> text, const Args&... args) {
    say([&] { return fmt::vformat(text, fmt::make_format_args(args...)); });
  }

  vm::Fleet& fleet_;
  policy::Autopilot& autopilot_;
  VmSettings& settings_;
  StatsWaiter stats_;
  const std::uint64_t started_ms_ = calendar_ms();
  EventLog events_;
  rpc::Json version_;
  const Succession* const succession_;
  DaemonCounters counters_;
  LogGate gate_{50};
};

}  // namespace vballoon::service
