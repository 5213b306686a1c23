// SPDX-License-Identifier: BSD-3-Clause
//
// Automatic ballooning in the real daemon, with guests and a host that no law can rely on: none of
// them takes another guest below its floor, and what is wrong is told. The host is always short
// here, so that the law takes whatever it may.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using driver::StatEntry;

constexpr std::uint64_t kVmBytes = 128 * kMiB;
constexpr std::uint64_t kFloor = 32 * kMiB;
constexpr std::uint64_t kPolicyCanary = 7;
constexpr std::chrono::seconds kPatience{20};

/// A guest that does as its target says. What it claims of itself is the test's business.
class AutomaticVm {
 public:
  AutomaticVm(const std::string& socket, const DriverOptions& options)
      : driver_(model::connect(socket, ram_, options)), pages_(usable_pages(ram_, *driver_)) {
    driver::fill_canaries(ram_, pages_, kPolicyCanary);
  }

  [[nodiscard]] BalloonDriver& driver() { return *driver_; }
  [[nodiscard]] std::uint64_t has() const { return kVmBytes - pages_to_bytes(inside_); }
  void claim(std::vector<StatEntry> stats) { driver_->set_stats(std::move(stats)); }
  /// The truth: half of what it has is in use.
  void claim_truth() {
    claim({{4, has() / 2}, {5, kVmBytes}, {6, has() / 2}, {0, 0}, {1, 0}, {2, 0}});
  }

  void follow() {
    static_cast<void>(must(driver_->serve(driver::Deadline(std::chrono::milliseconds(1)))));
    const std::uint64_t target = must(driver_->num_pages());
    ASSERT_LE(pages_to_bytes(target), kVmBytes - kFloor) << "below its floor";
    if (target > inside_) {
      must(driver_->inflate(std::span(pages_).subspan(inside_, target - inside_)));
    } else if (target < inside_) {
      const auto back = std::span(pages_).subspan(target, inside_ - target);
      must(driver_->deflate(back));
      driver::fill_canaries(ram_, back, kPolicyCanary);
    }
    if (target == inside_) return;
    inside_ = target;
    must(driver_->write_actual(static_cast<std::uint32_t>(inside_)));
  }
  void expect_whole() {
    const auto outside = std::span(pages_).subspan(inside_);
    EXPECT_EQ(driver::check_canaries(ram_, outside, kPolicyCanary).changed, 0U);
    EXPECT_EQ(driver_->violations().total(), 0U);
  }

 private:
  GuestRam ram_ = must(GuestRam::create(driver::flat_ram(kVmBytes)));
  std::unique_ptr<BalloonDriver> driver_;
  std::vector<Pfn> pages_;
  std::uint64_t inside_ = 0;  // the first so many are in the balloon
};

class Policy : public ::testing::Test {
 protected:
  [[nodiscard]] std::string device(const std::string& name, const std::string& keys) const {
    return fmt::format(
        "[[device]]\nname = \"{}\"\nsocket = \"{}\"\nautomatic = true\nfloor_mib = {}\n{}\n", name,
        socket(name), kFloor / kMiB, keys);
  }
  [[nodiscard]] std::string socket(const std::string& name) const {
    return folder_.path() / (name + ".sock");
  }
  /// @param policy  more of its table.
  void start(const std::string& policy, const std::string& keys_of_other) {
    daemon_.emplace(std::vector<std::string>{}, "[policy]\nreserve_mib = 1000000\n" + policy +
                                                    "\n" + device("honest", "") +
                                                    device("other", keys_of_other));
    honest_.emplace(socket("honest"), DriverOptions());
  }
  void start_other(const DriverOptions& options = {}) { other_.emplace(socket("other"), options); }

  Json explain(const std::string& name) {
    return daemon_->call("policy.explain", {{"name", name}});
  }
  [[nodiscard]] bool says(const std::string& name, const std::string& sign) {
    const Json told = explain(name);
    const Json& signs = told.at("signs");
    return std::find(signs.begin(), signs.end(), sign) != signs.end();
  }
  Json show() { return daemon_->call("policy.show", Json::object()); }
  [[nodiscard]] std::uint64_t turns() { return show().at("turns"); }

  /// Both live on; each turn the other claims what it likes. @return whether it became true.
  bool live_until(const std::function<void()>& lie, const std::function<bool()>& condition) {
    const driver::Deadline deadline(kPatience);
    while (!deadline.passed() && !HasFatalFailure()) {
      honest_->claim_truth();
      if (other_) lie();
      honest_->follow();
      if (other_) other_->follow();
      if (condition()) return true;
    }
    return false;
  }
  /// The host's shortage came down on it, and no further than it may.
  [[nodiscard]] bool honest_is_squeezed() {
    return honest_->has() < kVmBytes && explain("honest").at("rule") != nullptr;
  }
  void expect_all_well() {
    honest_->expect_whole();
    EXPECT_GE(honest_->has(), kFloor);
    EXPECT_TRUE(daemon_->alive());
  }
  static std::string quick() { return "interval_ms = 100\nhost_pressure = \"none\""; }

  TemporaryFolder folder_;
  std::optional<Daemon> daemon_;
  std::optional<AutomaticVm> honest_;
  std::optional<AutomaticVm> other_;
};

TEST_F(Policy, AGuestThatClaimsMoreThanItHasIsSeenThrough) {
  start(quick(), "");
  start_other();
  const auto lie = [this] { other_->claim({{4, UINT64_MAX - 7}, {5, 1}, {6, UINT64_MAX}}); };
  EXPECT_TRUE(live_until(lie, [this] {
    return honest_is_squeezed() && says("other", "some of what it says cannot be") &&
           explain("other").at("rule") == "no_statistics";
  }));
  EXPECT_GE(other_->has(), kFloor) << "nor does a liar go below its own";
  expect_all_well();
}

TEST_F(Policy, CountersThatRunBackwardsCountNothing) {
  start(quick(), "");
  start_other();
  std::uint64_t counter = std::uint64_t{1} << 62;
  const auto lie = [&] {
    counter -= kGiB;
    other_->claim({{4, 0}, {5, kVmBytes}, {6, 0}, {0, counter}, {1, counter}, {2, counter}});
  };
  EXPECT_TRUE(live_until(
      lie, [this] { return honest_is_squeezed() && says("other", "a counter ran backwards"); }));
  EXPECT_FALSE(says("other", "it swaps"));
  expect_all_well();
}

TEST_F(Policy, AGuestThatAlwaysClaimsPressureTakesNobodyBelowItsFloor) {
  start(quick(), "");
  start_other();
  std::uint64_t swapped = 0;
  const auto lie = [&] {
    swapped += 256 * kKiB;
    other_->claim({{4, 0}, {5, kVmBytes}, {6, 0}, {0, swapped}, {1, swapped}, {10, swapped}});
  };
  EXPECT_TRUE(
      live_until(lie, [this] { return honest_is_squeezed() && says("other", "it swaps"); }));
  const std::uint64_t from = turns();
  EXPECT_TRUE(live_until(lie, [&] { return turns() >= from + 10; }));
  EXPECT_LE(other_->has(), kVmBytes);
  expect_all_well();
}

TEST_F(Policy, AGuestWithoutStatisticsIsLeftAsItIs) {
  start(quick(), "");
  DriverOptions options;
  options.features = all_but({wire::Feature::kStatsVq});
  start_other(options);
  EXPECT_TRUE(live_until(
      [] {},
      [this] { return honest_is_squeezed() && explain("other").at("rule") == "no_statistics"; }));
  EXPECT_EQ(other_->has(), kVmBytes);
  expect_all_well();
}

/// Each message is heard, and none but the first brings a turn of its own.
TEST_F(Policy, AGuestThatCriesOnGetsNoMoreTurnsThanTheClockBrings) {
  start("interval_ms = 60000\nhost_pressure = \"none\"", "message_queue = true");
  DriverOptions options;
  options.message_queue = true;
  start_other(options);
  std::uint64_t cries = 0;
  const auto cry = [&] {
    other_->claim({{4, 0}, {5, kVmBytes}, {6, 0}});
    must(other_->driver().send_pressure());
    ++cries;
  };
  EXPECT_TRUE(live_until(cry, [&] { return cries >= 300 && turns() >= 1; }));
  EXPECT_LE(turns(), 2U);
  const Json other = daemon_->show("other");
  EXPECT_EQ(other.at("counters").at("pressure_messages"), cries);
  expect_all_well();
}

TEST_F(Policy, WithoutPsiItSaysSoAndGoesByWhatItSees) {
  start("interval_ms = 100\nhost_pressure = \"psi\"", "");
  EXPECT_TRUE(live_until([] {}, [this] { return honest_is_squeezed(); }));
  const Json heard = show().at("host_pressure");
  EXPECT_NE(heard.at("source"), "") << "what is listened to, or why it is not";
  if (!heard.at("heard").get<bool>()) {
    EXPECT_NE(daemon_->log().find("memory pressure is not heard"), std::string::npos);
  }
  expect_all_well();
}

class PolicyOfACgroup : public Policy {
 protected:
  void SetUp() override {
    std::error_code error;
    std::filesystem::create_directory(group_, error);
    if (!std::filesystem::exists(group_ / "memory.limit_in_bytes")) {
      GTEST_SKIP() << "no memory control group of version 1 can be made: " << error.message();
    }
    std::ofstream(group_ / "memory.limit_in_bytes") << 256 * kMiB;
  }
  ~PolicyOfACgroup() override { remove(); }
  void remove() const {
    std::error_code ignored;
    std::filesystem::remove(group_, ignored);
  }

  const std::filesystem::path group_ = fmt::format("/sys/fs/cgroup/memory/vbmodel-{}", ::getpid());
};

TEST_F(PolicyOfACgroup, ThatDisappearsTheWholeHostIsLookedAt) {
  start(fmt::format("interval_ms = 100\nhost_pressure = \"cgroup\"\ncgroup = \"{}\"",
                    group_.string()),
        "");
  EXPECT_TRUE(live_until([] {}, [this] { return honest_is_squeezed(); }));
  EXPECT_EQ(show().at("pools").at(0).at("name"), "cgroup");
  EXPECT_EQ(show().at("trouble"), "");
  remove();
  ASSERT_FALSE(std::filesystem::exists(group_));
  EXPECT_TRUE(live_until([] {},
                         [this] {
                           const Json shown = show();
                           return shown.at("trouble") != "" &&
                                  shown.at("pools").at(0).at("name") == "host" &&
                                  !shown.at("host_pressure").at("heard").get<bool>();
                         }));
  EXPECT_NE(show().at("trouble").get<std::string>().find(group_.string()), std::string::npos);
  const std::uint64_t from = turns();
  EXPECT_TRUE(live_until([] {}, [&] { return turns() > from + 3; })) << "turns go on";
  expect_all_well();
}

}  // namespace
}  // namespace vballoon::model
