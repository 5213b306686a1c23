// SPDX-License-Identifier: BSD-3-Clause
//
// What the policy remembers of VMs outlives the daemon under vballoon-keeper, which is killed: the
// next one goes on with it, and does not begin anew.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <functional>

#include "harness/kept_daemon.hpp"

namespace vballoon::model {
namespace {

constexpr std::uint64_t kVmBytes = 128 * kMiB;
constexpr std::chrono::seconds kPatience{30};

class KeptPolicy : public ::testing::Test {
 protected:
  /// @param policy  more of its table.
  [[nodiscard]] std::string table(const std::string& policy) const {
    return fmt::format(
        "[policy]\ninterval_ms = 100\nhost_pressure = \"none\"\n{}\n"
        "[[device]]\nname = \"vm0\"\nsocket = \"{}\"\nautomatic = true\nfloor_mib = 32\n"
        "message_queue = true\n",
        policy, socket());
  }
  [[nodiscard]] std::string socket() const { return outer_.path() / "vm0.sock"; }
  void start(const std::string& policy) {
    daemon_.emplace(std::vector<std::string>{}, KeptOptions{.config = table(policy)});
    start_guest();
  }
  void start_guest() {
    DriverOptions options = patient();
    options.message_queue = true;
    guest_ = model::connect(socket(), ram_, options);
    // It has nearly all of its memory to spare, and never moves a page.
    guest_->set_stats({{4, kVmBytes / 2}, {5, kVmBytes}, {6, kVmBytes - 8 * kMiB}});
  }

  [[nodiscard]] Json explain() const { return daemon_->call("policy.explain", {{"name", "vm0"}}); }
  /// @return the first decision that this is true of; an empty one: there was none.
  Json live_until(const std::function<bool(const Json&)>& condition) {
    const driver::Deadline deadline(kPatience);
    while (!deadline.passed()) {
      static_cast<void>(must(guest_->serve(driver::Deadline(std::chrono::milliseconds(1)))));
      const Json told = explain();
      if (!told.at("rule").is_null() && condition(told)) return told;
    }
    ADD_FAILURE() << "the policy says at last: " << explain().dump();
    return {};
  }
  /// The first decision of this daemon that rests on what the guest says.
  Json first_decision() {
    return live_until([](const Json& told) {
      return told.contains("figures") && told.at("figures").contains("margin_bytes") &&
             told.at("rule") != "no_statistics";
    });
  }
  [[nodiscard]] static std::uint64_t margin(const Json& told) {
    return told.at("figures").value("margin_bytes", std::uint64_t{0});
  }
  [[nodiscard]] static bool heard_message(const Json& told) {
    const Json& signs = told.at("signs");
    return std::find(signs.begin(), signs.end(), "it sent a message of pressure") != signs.end();
  }
  void press() {
    first_decision();
    must(guest_->send_pressure());
    live_until([](const Json& told) { return margin(told) > 0; });
  }

  const driver::TemporaryFolder outer_;
  GuestRam ram_ = must(GuestRam::create(driver::flat_ram(kVmBytes)));
  std::optional<KeptDaemon> daemon_;
  std::unique_ptr<BalloonDriver> guest_;  // ends before its daemon
};

TEST_F(KeptPolicy, AGuestThatWasShortOfMemoryIsSparedByTheNextDaemons) {
  start("");
  press();
  for (int round = 0; round < 2; ++round) {
    daemon_->replace(SIGKILL);
    const Json told = first_decision();
    EXPECT_GT(margin(told), 0U) << told.dump();
    EXPECT_FALSE(heard_message(told)) << "it said nothing more";
  }
  daemon_->upgrade();
  EXPECT_GT(margin(first_decision()), 0U);
}

TEST_F(KeptPolicy, ADriverThatIsStalledIsNotCountedOnByTheNextDaemon) {
  start("reserve_mib = 1000000");
  live_until([](const Json& told) { return told.at("rule") == "stalled"; });
  daemon_->replace(SIGKILL);
  EXPECT_EQ(first_decision().at("rule"), "stalled");
}

TEST_F(KeptPolicy, ANewMessageToTheNextDaemonIsHeard) {
  start("");
  press();
  daemon_->replace(SIGKILL);
  first_decision();
  live_until([this](const Json& told) {
    must(guest_->send_pressure());
    return heard_message(told);
  });
}

TEST_F(KeptPolicy, AnotherLawStartsAnewAndSaysSoOnce) {
  constexpr const char* kSaid = "the policy's memory of VMs is not of this daemon's form";
  start("");
  press();
  daemon_->configure(table("law = \"pressure\""));
  for (int round = 0; round < 2; ++round) {
    daemon_->replace(SIGKILL);
    EXPECT_EQ(explain().at("law"), "pressure");
    EXPECT_EQ(daemon_->logged(kSaid), 1U);
  }
  daemon_->configure(table(""));
  daemon_->replace(SIGKILL);
  EXPECT_EQ(margin(first_decision()), 0U);
  EXPECT_EQ(daemon_->logged(kSaid), 2U);
}

TEST_F(KeptPolicy, AVmThatWasRemovedIsANewOneToTheNextDaemon) {
  start("");
  press();
  guest_.reset();
  daemon_->call("device.remove", {{"name", "vm0"}});
  daemon_->replace(SIGKILL);
  start_guest();
  EXPECT_EQ(margin(first_decision()), 0U);
}

}  // namespace
}  // namespace vballoon::model
