// SPDX-License-Identifier: BSD-3-Clause
//
// What a front end may do to rings that run, and what becomes of them: design, section 8;
// vhost-user protocol, "Ring states".
#include <cstring>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using wire::Feature;

class RunningRings : public DaemonTest {
 protected:
  void SetUp() override {
    options_.timeout = std::chrono::milliseconds(2000);
    options_.depth = 1;
    driver_ = model::connect(daemon_.socket(device_), ram_, options_);
    pages_ = fill(*driver_);
    must(driver_->inflate(std::span(pages_).first(10)));
    expect_ballooned(10);
  }
  [[nodiscard]] driver::FrontEnd& front_end() { return driver_->front_end(); }
  [[nodiscard]] unsigned number_of(Role role) const { return driver_->queue_number(role).value(); }
  [[nodiscard]] std::uint64_t without_protocol() const {
    return driver_->acked().without(Feature::kVhostProtocolFeatures).bits();
  }
  [[nodiscard]] std::vector<std::string> served() {
    std::vector<std::string> roles;
    const Json device = show();
    for (const Json& queue : device.at("queues")) {
      if (queue.at("state") == "running") roles.push_back(queue.at("role"));
    }
    return roles;
  }
  /// The answer to the message that started a ring comes before that.
  void expect_all_served() {
    EXPECT_TRUE(eventually([this] { return served().size() == 5; })) << served().size();
  }
  /// Memory that was a ring once is anybody's: here a page number that the guest did not give away.
  void expect_left_alone() {
    EXPECT_TRUE(served().empty());
    auto& inflate = driver_->queue(Role::kInflate);
    const std::uint32_t pfn = pages_[500].value;
    std::memcpy(ram_.at(Gpa{24 * kMiB}, sizeof(pfn)).data(), &pfn, sizeof(pfn));
    ASSERT_TRUE(inflate.add(std::vector<driver::Segment>{{Gpa{24 * kMiB}, sizeof(pfn), false}}));
    inflate.publish();
    EXPECT_FALSE(inflate.wait(driver::Deadline(std::chrono::milliseconds(100))));
    expect_ballooned(10);
    EXPECT_TRUE(ram_.is_allocated(pages_[500]));
  }
  /// The next driver, on the same connection.
  void expect_that_another_is_served(const DriverOptions& options) {
    must(driver_->reset(of_this_run(options)));
    expect_ballooned(0);
    pages_ = fill(*driver_);
    must(driver_->inflate(std::span(pages_).first(20)));
    expect_ballooned(20);
    expect_all_served();
    expect_untouched(std::span(pages_).subspan(20));
    expect_no_violations(*driver_);
  }

  DriverOptions options_;
  std::unique_ptr<BalloonDriver> driver_;
  std::vector<Pfn> pages_;
};

/// User Mode Linux, whose driver refuses a feature that was offered, sends SET_FEATURES once more,
/// without this one; from then on it takes rings away without a word but GET_FEATURES.
TEST_F(RunningRings, EndWithGetFeaturesOnceProtocolFeaturesWereLetGo) {
  DriverOptions plain = options_;
  plain.features = without_protocol();
  must(driver_->reset(of_this_run(plain)));
  expect_all_served();  // without SET_VRING_ENABLE a kick starts a ring
  pages_ = fill(*driver_);
  must(driver_->inflate(std::span(pages_).first(10)));
  static_cast<void>(must(front_end().get_features()));
  expect_left_alone();
  // As each ring's setup begins; librte_vhost has the old one ready meanwhile.
  const auto& inflate = driver_->queue(Role::kInflate);
  must(front_end().set_vring_call(number_of(Role::kInflate), inflate.call_fd()));
  static_cast<void>(must(front_end().get_features()));
  EXPECT_TRUE(served().empty());
  expect_that_another_is_served(plain);
  expect_that_another_is_served(options_);
}

TEST_F(RunningRings, GoOnAtGetFeaturesElsewhere) {
  static_cast<void>(must(front_end().get_features()));
  expect_all_served();
  must(driver_->inflate(std::span(pages_).subspan(10, 10)));
  expect_ballooned(20);
  // Who never had them is as any other.
  DriverOptions plain = options_;
  plain.features = without_protocol();
  driver_.reset();
  driver_ = model::connect(daemon_.socket(device_), ram_, plain);
  pages_ = fill(*driver_);
  static_cast<void>(must(front_end().get_features()));
  expect_all_served();
  must(driver_->inflate(std::span(pages_).first(10)));
  expect_ballooned(10);
}

/// A driver takes other features after a reset, and all its rings are new.
TEST_F(RunningRings, EndWithOtherFeaturesUntilTheyAreKicked) {
  for (const std::uint64_t features :
       {without_protocol(), driver_->acked().without(Feature::kReporting).bits(),
        driver_->acked().without(Feature::kMustTellHost).bits()}) {
    SCOPED_TRACE(features);
    // As long as all are ready librte_vhost has none of it.
    static_cast<void>(must(front_end().get_vring_base(number_of(Role::kReport))));
    must(front_end().set_features(features));
    static_cast<void>(must(front_end().get_features()));
    expect_left_alone();
    expect_that_another_is_served(options_);
    must(driver_->deflate(std::span(pages_).subspan(10, 10)));
    expect_ballooned(10);
  }
}

TEST_F(RunningRings, EndWithOtherFeaturesThatAreRefused) {
  EXPECT_FALSE(front_end().set_features(driver_->acked().without(Feature::kReporting).bits()));
  expect_left_alone();
  expect_that_another_is_served(options_);
}

TEST_F(RunningRings, GoOnWhenFeaturesThatWereNotOfferedAreRefused) {
  EXPECT_FALSE(front_end().set_features(driver_->acked().bits() | std::uint64_t{1} << 29));
  expect_all_served();
  must(driver_->inflate(std::span(pages_).subspan(10, 10)));
  expect_ballooned(20);
}

TEST_F(RunningRings, GoOnWithTheSameFeatures) {
  const std::uint64_t logged = driver_->acked().with(Feature::kLogAll).bits();
  for (const std::uint64_t features : {driver_->acked().bits(), logged, driver_->acked().bits()}) {
    must(front_end().set_features(features));
    static_cast<void>(must(front_end().get_features()));
    expect_all_served();
  }
  must(driver_->inflate(std::span(pages_).subspan(10, 10)));
  expect_ballooned(20);
}

TEST_F(RunningRings, EndWhenTheyAreSetUpAnewUntilTheyAreKicked) {
  const unsigned number = number_of(Role::kInflate);
  auto& inflate = driver_->queue(Role::kInflate);
  const auto base = [&] {
    const std::uint32_t at = inflate.used_position();
    return packed_run() ? at | at << 16U : at;
  };
  for (const bool size : {true, false}) {
    SCOPED_TRACE(size ? "SET_VRING_NUM" : "SET_VRING_BASE");
    must(size ? front_end().set_vring_num(number, inflate.size())
              : front_end().set_vring_base(number, base()));
    static_cast<void>(must(front_end().get_features()));
    EXPECT_EQ(served().size(), 4U);
    must(front_end().set_vring_kick(number, inflate.kick_fd()));
    static_cast<void>(must(front_end().get_features()));
    expect_all_served();
    expect_ballooned(10);
  }
  must(driver_->inflate(std::span(pages_).subspan(10, 10)));
  expect_ballooned(20);
  expect_untouched(std::span(pages_).subspan(20));
}

/// What concerns no ring, or is the ring's as it stands.
TEST_F(RunningRings, GoOnThroughAllElse) {
  const unsigned number = number_of(Role::kInflate);
  const auto& inflate = driver_->queue(Role::kInflate);
  must(front_end().set_owner());
  must(front_end().tell(wire::Request::kResetOwner, {}));
  must(front_end().set_protocol_features(must(front_end().get_protocol_features()) &
                                         ~wire::protocol::kInflightShmfd));
  must(front_end().set_vring_call(number, inflate.call_fd()));
  must(front_end().set_vring_kick(number, inflate.kick_fd()));
  must(front_end().set_mem_table(ram_));
  must(front_end().set_vring_enable(number, true));
  static_cast<void>(must(front_end().get_features()));
  expect_all_served();
  must(driver_->inflate(std::span(pages_).subspan(10, 10)));
  expect_ballooned(20);
}

}  // namespace
}  // namespace vballoon::model
