// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/fixture.hpp - a device of the daemon, a guest's RAM, and what to check.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "daemon.hpp"
#include "driver/balloon_driver.hpp"
#include "driver/canary.hpp"
#include "driver/guest_ram.hpp"
#include "lab.hpp"

namespace vballoon::model {

using driver::BalloonDriver;
using driver::DriverOptions;
using driver::GuestRam;
using driver::Role;

/// The value, or the error as an exception, which fails the test.
template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// A number that differs from run to run; VBALLOON_MODEL_SEED replays one. Name it in a trace.
[[nodiscard]] std::uint64_t test_seed();

/// Length of one random walk: VBALLOON_MODEL_SECONDS, 3 by default.
[[nodiscard]] std::chrono::seconds walk_length();

/// Whether it becomes true within ten seconds.
[[nodiscard]] bool eventually(const std::function<bool()>& condition);

/// The layout of this run's rings: packed unless VBALLOON_MODEL_RING is "split".
[[nodiscard]] bool packed_run();

/// All features but these.
[[nodiscard]] std::uint64_t all_but(const std::vector<wire::Feature>& features);

/// These options, of any kind of driver, with the rings of this run.
template <typename Options>
[[nodiscard]] Options of_this_run(Options options) {
  if (!packed_run()) options.features &= all_but({wire::Feature::kRingPacked});
  return options;
}

/// A driver of this kind, with the rings of this run. The daemon turns a second VMM away, also
/// while it has not yet seen the first one go.
template <typename Driver, typename Options>
[[nodiscard]] std::unique_ptr<Driver> start_once_free(const std::string& socket,
                                                      const GuestRam& ram, const Options& options) {
  const driver::Deadline deadline(std::chrono::seconds(5));
  for (;;) {
    auto started = Driver::start(must(driver::MessageSocket::connect(socket, deadline)), ram,
                                 of_this_run(options));
    const bool turned_away = !started && started.error().code == Code::kUnavailable;
    if (!turned_away || deadline.passed()) return must(std::move(started));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

/// With the rings of this run.
[[nodiscard]] std::unique_ptr<BalloonDriver> connect(const std::string& socket, const GuestRam& ram,
                                                     const DriverOptions& options = {});

/// Pages that a guest may put into its balloon, ascending.
[[nodiscard]] std::vector<Pfn> usable_pages(const GuestRam& ram, const BalloonDriver& driver);

/// A driver of whose pages it is true at once what is true of them at all.
[[nodiscard]] DriverOptions late();

class DaemonTest : public ::testing::Test {
 protected:
  DaemonTest() = default;
  /// @param device  of the lab's daemon.
  explicit DaemonTest(std::string device) : device_(std::move(device)) {}
  ~DaemonTest() override {
    // Not in the middle of a test, which has the daemon by reference.
    if (HasFailure() || Lab::get().is_short()) Lab::get().retire();
  }

  [[nodiscard]] std::unique_ptr<BalloonDriver> connect(const DriverOptions& options = {}) {
    return model::connect(daemon_.socket(device_), ram_, options);
  }
  [[nodiscard]] Json show() { return daemon_.show(device_); }
  [[nodiscard]] std::uint64_t counter(const std::string& name) {
    return show().at("counters").at(name).get<std::uint64_t>();
  }
  /// The ledger, in pages.
  [[nodiscard]] std::uint64_t ballooned() {
    return bytes_to_pages(show().at("ballooned_bytes").get<std::uint64_t>());
  }
  /// Asks the driver for hints: "start", "stop" or "done". @return the command id.
  std::uint32_t command_hints(const std::string& action) {
    return daemon_.call("device.hint", {{"name", device_}, {"action", action}}).at("command_id");
  }
  [[nodiscard]] std::string queue_state(Role role);
  /// The same device, but with INDIRECT_DESC. @pre  Nobody is connected.
  void offer_indirect() {
    daemon_.call("device.remove", {{"name", device_}});
    daemon_.call("device.add",
                 {{"name", device_}, {"socket", daemon_.socket(device_)}, {"indirect", true}});
  }
  /// The guest's statistics, asked of the daemon while a driver of any kind serves.
  /// @errors throws, with the daemon's message.
  template <typename Driver>
  [[nodiscard]] Json stats_while_serving(Driver& driver) {
    auto answer = std::async(std::launch::async, [this] {
      return daemon_.try_call("device.stats", {{"name", device_}, {"timeout_ms", 3000}});
    });
    while (answer.wait_for(std::chrono::milliseconds(0)) != std::future_status::ready) {
      static_cast<void>(must(driver.serve(driver::Deadline(std::chrono::milliseconds(5)))));
    }
    auto got = answer.get();
    if (!got) throw std::runtime_error(got.error().message);
    return got->at("stats");
  }
  /// How often the daemon's log says so.
  [[nodiscard]] std::size_t logged(const std::string& text);
  /// Everything usable filled with this seed's canaries.
  std::vector<Pfn> fill(const BalloonDriver& driver, std::uint64_t seed = 1);
  void expect_untouched(std::span<const Pfn> pages, std::uint64_t seed = 1);
  /// At once: true of a driver that did not take MUST_TELL_HOST, and of reports.
  void expect_gone(std::span<const Pfn> pages);
  /// Within the bounded age of a page that was acknowledged early.
  void expect_gone_soon(std::span<const Pfn> pages);
  void expect_ballooned(std::uint64_t pages);
  static void expect_no_violations(const driver::Violations& found);
  static void expect_no_violations(const BalloonDriver& driver) {
    expect_no_violations(driver.violations());
  }

  const std::string device_ = Lab::get().next_device();
  Daemon& daemon_ = Lab::get().daemon();
  GuestRam ram_ = must(GuestRam::create(driver::flat_ram(32 * kMiB)));
};

}  // namespace vballoon::model
