// SPDX-License-Identifier: BSD-3-Clause
//
// From what a guest says of itself to what is shown of it and taken from it: vm/figures.hpp
// settles the figures, the observer hands them on, and a law decides by them.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/units.hpp"
#include "policy/balance_law.hpp"
#include "policy/observe.hpp"
#include "service/rpc/device_json.hpp"

namespace vballoon::service {
namespace {

using wire::StatTag;

/// cloud-hypervisor #8116: 512 MiB, of which its kernel keeps 112 to itself and its programs use
/// 100, and a virtio-mem device of 2 GiB with nothing plugged. The host has nothing left but what
/// it gives.
class UnpluggedGuest : public testing::Test {
 protected:
  static constexpr std::uint64_t kUsed = 100 * kMiB;
  static constexpr std::uint64_t kReserveMib = 64;
  static constexpr std::uint64_t kTouched = 350 * kMiB;

  UnpluggedGuest() {
    host_.total = 4 * kGiB;
    wish_.automatic = true;
    report_.state = vm::State::kRunning;
    report_.table_bytes = 2560 * kMiB;
    report_.boot_bytes = 512 * kMiB;
    report_.resident_bytes = kTouched;
    report_.actual_bytes = 0;
    report_.acked = wire::Features{}.with(wire::Feature::kDeflateOnOom);
    say(StatTag::kTotal, 400 * kMiB);
  }
  void say(StatTag tag, std::uint64_t value) {
    if (!report_.stats) report_.stats.emplace();
    report_.stats->sample.values[static_cast<unsigned>(tag)] = value;
    report_.stats->sample.present |= 1U << static_cast<unsigned>(tag);
  }
  [[nodiscard]] std::uint64_t available() const {
    return 400 * kMiB - kUsed - std::min(400 * kMiB - kUsed, *report_.actual_bytes);
  }
  vm::DeviceReport settled() {
    say(StatTag::kAvailable, available());
    report_.stats->sequence += 1;
    report_.stats->ballooned_bytes = *report_.actual_bytes;
    vm::DeviceReport report = report_;
    vm::settle(&report);
    return report;
  }
  [[nodiscard]] policy::Observation observe(const vm::VmFigures& figures,
                                            std::uint64_t reserve_mib) const {
    policy::Observer observer(host_, reserve_mib);
    observer.add("vm1", figures, wish_);
    return observer.take();
  }
  [[nodiscard]] rpc::Json shown() {
    rpc::JsonWriter out;
    write_device({"vm1", "/tmp/vm1.sock"}, settled(), &out);
    return rpc::Json::parse(out.take());
  }
  /// A second of its life; it does as it is told.
  policy::Decision turn() {
    policy::Observation seen = observe(settled(), kReserveMib);
    seen.now = now_ += policy::Time(1000);
    const policy::Decision decision = law_.decide(seen).front();
    const std::uint64_t had = *report_.resident_bytes;
    report_.target_bytes = decision.target;
    report_.actual_bytes = decision.target;
    report_.resident_bytes =
        std::min(kTouched, report_.boot_bytes - std::min(report_.boot_bytes, decision.target));
    host_.available += had - std::min(had, *report_.resident_bytes);
    return decision;
  }

  policy::MemoryFigures host_;
  policy::VmWish wish_;
  vm::DeviceReport report_;
  policy::BalanceLaw law_;
  policy::Time now_{1'000'000};
};

TEST_F(UnpluggedGuest, IsAsLargeAsItBooted) {
  const rpc::Json json = shown();
  EXPECT_EQ(json.at("guest_bytes"), 512 * kMiB);
  EXPECT_EQ(json.at("guest_source"), "statistics");
  EXPECT_EQ(json.at("table_bytes"), 2560 * kMiB);
}

TEST_F(UnpluggedGuest, ThatDoesNotSayHowLargeItIsIsAsLargeAsItsTable) {
  report_.stats->sample.present = 0;
  const rpc::Json json = shown();
  EXPECT_EQ(json.at("guest_bytes"), 2560 * kMiB);
  EXPECT_EQ(json.at("guest_source"), "memory_table");
}

TEST_F(UnpluggedGuest, CountsItsBalloonWhereItsTotalDoesNot) {
  report_.acked = {};
  report_.actual_bytes = 200 * kMiB;
  say(StatTag::kTotal, 600 * kMiB);
  EXPECT_EQ(settled().guest_bytes, 800 * kMiB);
}

TEST_F(UnpluggedGuest, KeepsWhatItNeedsOnAHostThatHasNothing) {
  for (int second = 0; second < 120; ++second) {
    const policy::Decision decision = turn();
    ASSERT_GE(available(), 32 * kMiB) << policy::rule_name(decision.rule) << " after " << second;
    ASSERT_LE(decision.target, 512 * kMiB);
  }
  EXPECT_GE(report_.target_bytes, 128 * kMiB) << "and gives what it can";
}

TEST_F(UnpluggedGuest, GetsBackWhatAnEarlierTargetTook) {
  host_.available = 3 * kGiB;
  report_.target_bytes = 2240 * kMiB;
  report_.actual_bytes = 376 * kMiB;
  policy::Decision decision = turn();
  EXPECT_LE(decision.target, 512 * kMiB - 64 * kMiB) << "its floor, at once";
  for (int second = 0; second < 30; ++second) decision = turn();
  EXPECT_GE(available(), 64 * kMiB);
}

/// virtio-win #1323. Its programs use nearly all it has, and each figure is what a failed query
/// gives.
TEST_F(UnpluggedGuest, ThatSendsAFailedQueryIsNotTakenForIdle) {
  report_.stats->sample.present = 0;
  say(StatTag::kTotal, 400 * kMiB);
  for (int second = 0; second < 30; ++second) {
    vm::DeviceReport report = settled();
    report.stats->sample.values[static_cast<unsigned>(StatTag::kAvailable)] = UINT64_MAX;
    vm::settle(&report);
    policy::Observation seen = observe(report, 0);
    seen.now = now_ += policy::Time(1000);
    const policy::Decision decision = law_.decide(seen).front();
    ASSERT_EQ(decision.target, 0U) << second;
    ASSERT_EQ(policy::rule_name(decision.rule), "no_statistics");
    rpc::JsonWriter out;
    write_stats(report, &out);
    const rpc::Json stats = rpc::Json::parse(out.take());
    EXPECT_FALSE(stats.contains("available_bytes"));
    EXPECT_EQ(stats.at("nonsense"), rpc::Json({"available_bytes"}));
  }
}

}  // namespace
}  // namespace vballoon::service
