// SPDX-License-Identifier: BSD-3-Clause
//
// Features and queue numbers: VIRTIO 1.2, 5.5.2 and 5.5.3; Linux compacts the numbers.
#include <ostream>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using driver::Numbering;
using wire::Feature;

struct Variant {
  const char* name;
  std::vector<Feature> without;
  Numbering numbering;

  friend void PrintTo(const Variant& variant, std::ostream* out) { *out << variant.name; }
};

class Numbers : public DaemonTest, public ::testing::WithParamInterface<Variant> {
 protected:
  /// Each queue that the driver has does its own work and no other's.
  void exercise(BalloonDriver& driver, const std::vector<Pfn>& pages) {
    const std::span<const Pfn> all(pages);
    must(driver.inflate(all.first(300)));
    must(driver.deflate(all.first(100)));
    driver::fill_canaries(ram_, all.first(100), 1);
    expect_ballooned(200);
    expect_gone_soon(all.subspan(100, 200));
    if (driver.queue_number(Role::kHint)) {
      command_hints("start");
      must(driver.hint(std::vector<GpaRange>{{to_gpa(pages[1000]), 64 * kPageSize}}));
      EXPECT_EQ(counter("hint_pages"), 64U);
      expect_untouched(all.subspan(1000, 64));
    }
    if (driver.queue_number(Role::kReport)) {
      must(driver.report(std::vector<GpaRange>{{to_gpa(pages[2000]), 64 * kPageSize}}));
      expect_gone(all.subspan(2000, 64));
      driver::fill_canaries(ram_, all.subspan(2000, 64), 1);
    }
    if (driver.queue_number(Role::kStats)) {
      EXPECT_TRUE(eventually([this] { return !show().at("stats").is_null(); }));
    }
    expect_untouched(all.first(100));
    expect_untouched(all.subspan(300));
  }
};

TEST_P(Numbers, EveryQueueIsTakenForWhatItIs) {
  DriverOptions options;
  options.features = all_but(GetParam().without);
  options.numbering = GetParam().numbering;
  const auto driver = connect(options);
  const auto pages = fill(*driver);
  exercise(*driver, pages);
  expect_no_violations(*driver);
  EXPECT_EQ(show().at("state"), "running");
}

INSTANTIATE_TEST_SUITE_P(
    Variants, Numbers,
    ::testing::Values(
        Variant{"all", {}, Numbering::kLinux},
        Variant{"linux_no_stats", {Feature::kStatsVq}, Numbering::kLinux},
        Variant{"linux_no_hint", {Feature::kFreePageHint}, Numbering::kLinux},
        Variant{
            "linux_report_only", {Feature::kStatsVq, Feature::kFreePageHint}, Numbering::kLinux},
        Variant{
            "linux_stats_only", {Feature::kFreePageHint, Feature::kReporting}, Numbering::kLinux},
        Variant{"linux_none",
                {Feature::kStatsVq, Feature::kFreePageHint, Feature::kReporting},
                Numbering::kLinux},
        Variant{"spec_no_hint", {Feature::kFreePageHint}, Numbering::kSpec},
        Variant{"spec_report_only", {Feature::kStatsVq, Feature::kFreePageHint}, Numbering::kSpec},
        Variant{"spec_hint_only", {Feature::kStatsVq, Feature::kReporting}, Numbering::kSpec}),
    [](const auto& variant) { return variant.param.name; });

class Negotiation : public DaemonTest {};

/// Without statistics, ring 3 is hints by the spec and reports by Linux. Whatever the device takes
/// it for, memory that was only hinted must not be lost.
TEST_F(Negotiation, HintsSurviveAnAmbiguousNumbering) {
  DriverOptions options;
  options.features = all_but({Feature::kStatsVq});
  options.numbering = Numbering::kSpec;
  const auto driver = connect(options);
  const auto pages = fill(*driver);
  must(driver->hint(std::vector<GpaRange>{{to_gpa(pages[1000]), 64 * kPageSize}}));
  expect_untouched(pages);
}

TEST_F(Negotiation, ShowsWhatWasAcknowledged) {
  DriverOptions options;
  options.features = all_but({Feature::kReporting});
  const auto driver = connect(options);
  ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  const Json acked = show().at("features").at("acked");
  EXPECT_EQ(acked.dump().find("REPORTING"), std::string::npos);
  EXPECT_NE(acked.dump().find("STATS_VQ"), std::string::npos);
}

TEST_F(Negotiation, WorksWithoutProtocolFeatures) {
  DriverOptions options = late();
  options.features &= all_but({Feature::kVhostProtocolFeatures});
  const auto driver = connect(options);
  const auto pages = fill(*driver);
  must(driver->inflate(std::span(pages).first(500)));
  expect_gone(std::span(pages).first(500));
}

TEST_F(Negotiation, WorksWithoutAcknowledgedMessages) {
  DriverOptions options = late();
  options.protocol_features = ~wire::protocol::kReplyAck;
  const auto driver = connect(options);
  const auto pages = fill(*driver);
  must(driver->inflate(std::span(pages).first(500)));
  expect_gone(std::span(pages).first(500));
}

TEST_F(Negotiation, OffersNeitherStatusNorEventIndex) {
  const auto driver = connect();
  constexpr std::uint64_t kEventIdx = std::uint64_t{1} << 29;
  EXPECT_EQ(driver->offered().bits() & kEventIdx, 0U);
  EXPECT_EQ(must(driver->front_end().get_protocol_features()) & wire::protocol::kStatus, 0U);
  EXPECT_EQ(must(driver->front_end().get_queue_num()), 5U);
}

TEST_F(Negotiation, ALegacyDriverIsNotServedButDoesNoHarm) {
  DriverOptions options;
  options.features = all_but({Feature::kVersion1});
  options.timeout = std::chrono::milliseconds(200);
  {
    const auto legacy = connect(options);
    const std::vector<Pfn> one{Pfn{1000}};
    EXPECT_FALSE(legacy->inflate(one));
    EXPECT_EQ(show().at("state"), "connected");
    EXPECT_NE(show().at("reason").get<std::string>().find("legacy"), std::string::npos);
  }
  EXPECT_EQ(logged(device_ + ": the guest's driver is a legacy one"), 1U);
  const auto driver = connect();
  const auto pages = fill(*driver);
  must(driver->inflate(std::span(pages).first(10)));
  expect_ballooned(10);
  EXPECT_EQ(show().at("reason"), "");
}

/// Firmware first, and then a kernel that knows better, on one connection.
TEST_F(Negotiation, AModernDriverAfterALegacyOneIsServed) {
  DriverOptions options = late();
  options.features &= all_but({Feature::kVersion1});
  const auto driver = connect(options);
  ASSERT_TRUE(eventually([this] { return show().at("reason") != ""; }));
  must(driver->reset(of_this_run(late())));
  const auto pages = fill(*driver);
  must(driver->inflate(std::span(pages).first(10)));
  expect_ballooned(10);
  EXPECT_EQ(show().at("state"), "running");
  EXPECT_EQ(show().at("reason"), "");
}

/// Ring addresses would be addresses of its IOMMU, and page numbers no addresses of any kind.
TEST_F(Negotiation, DoesNotOfferToStandBehindAnIommu) {
  constexpr std::uint64_t kAccessPlatform = std::uint64_t{1} << 33;
  const auto driver = connect();
  EXPECT_EQ(driver->offered().bits() & kAccessPlatform, 0U);
}

/// A front end that acknowledges what was not offered is refused; what it had stays as it was.
TEST_F(Negotiation, RefusesAFeatureThatWasNotOffered) {
  for (const unsigned bit : {29U, 33U, 40U, 63U}) {
    SCOPED_TRACE(bit);
    const auto driver = connect(late());
    const auto pages = fill(*driver);
    must(driver->inflate(std::span(pages).first(10)));
    const std::uint64_t acked = driver->acked().bits();
    EXPECT_FALSE(driver->front_end().set_features(acked | std::uint64_t{1} << bit));
    EXPECT_TRUE(daemon_.alive());
    expect_untouched(std::span(pages).subspan(10));
  }
  const auto driver = connect(late());
  const auto pages = fill(*driver);
  must(driver->inflate(std::span(pages).first(10)));
  expect_ballooned(10);
}

}  // namespace
}  // namespace vballoon::model
