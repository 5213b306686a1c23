// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_inhibit.cpp - the operator forbids discards; the driver must not notice.
// Source: section 6 of the design: retained.
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "support/device_fixture.hpp"
#include "support/step_sink.hpp"

namespace vballoon::datapath {
namespace {

using Heads = std::vector<std::uint32_t>;

void send_report(DeviceFixture& f, std::uint16_t head, std::uint64_t first, std::uint64_t count) {
  f.ring(Role::kReport)
      .send(head, {{to_gpa(Pfn{DeviceFixture::page(first)}),
                    static_cast<std::uint32_t>(pages_to_bytes(count)), true}});
}

TEST(Inhibit, BuffersAreServedAndNothingIsDiscarded) {
  for (const bool tells : {true, false}) {
    DeviceFixture f;
    if (tells) f.driver_tells();
    f.start_all();
    f.path().inhibit(true);
    EXPECT_TRUE(f.path().inhibited());
    f.send_pfns(Role::kInflate, 0, pages_from(0, 1000));
    send_report(f, 1, 2000, 512);
    f.poll_until_idle();
    f.send_pfns(Role::kDeflate, 2, pages_from(10, 5));
    f.poll_until_idle();
    EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{0})) << tells;
    EXPECT_EQ(f.ring(Role::kReport).collect(), (Heads{1})) << tells;
    EXPECT_EQ(f.ring(Role::kDeflate).collect(), (Heads{2})) << tells;
    EXPECT_TRUE(f.discarder().calls.empty());
    EXPECT_EQ(f.counters().ballooned_pages.get(), 995U);
    EXPECT_FALSE(f.path().restless()) << "until it is off there is nothing to do";
  }
}

TEST(Inhibit, OffAgainWhatIsGatheredGoes) {
  DeviceFixture f;
  f.driver_tells();
  f.start_all();
  f.path().inhibit(true);
  f.send_pfns(Role::kInflate, 0, pages_from(0, 100));
  f.poll_until_idle();
  f.send_pfns(Role::kDeflate, 0, pages_from(20, 30));
  f.poll_until_idle();
  f.path().inhibit(false);
  EXPECT_TRUE(f.path().poll());
  f.poll_until_idle();
  auto wanted = DeviceFixture::file_pages(pages_from(0, 20));
  wanted.merge(DeviceFixture::file_pages(pages_from(50, 50)));
  EXPECT_EQ(f.discarder().file_pages(), wanted);
  EXPECT_EQ(f.reclaimed().retained_bytes.get(), 0U);
}

// The watch of a poll lcore changes with it, else a device at rest would not hear of it.
TEST(Inhibit, IsSomethingToWatchFor) {
  DeviceFixture f;
  f.start_all();
  std::array<Watch, DataPath::kWatches> watches;
  f.path().watch(watches);
  const auto changed = [&watches] {
    bool any = false;
    for (const Watch& watch : watches) any |= watch.changed();
    return any;
  };
  EXPECT_FALSE(changed());
  f.path().inhibit(true);
  EXPECT_TRUE(changed());
  f.path().watch(watches);
  EXPECT_FALSE(changed());
  f.path().request_stats();
  EXPECT_TRUE(changed());
  f.path().watch(watches);
  f.send_pfns(Role::kInflate, 0, {DeviceFixture::page(0)});
  EXPECT_TRUE(changed());
}

// Late, the buffers wait for discards that do not come any more: they must not wait for ever.
TEST(Inhibit, BuffersThatWaitedAlreadyAreLetGoUndiscarded) {
  DeviceFixture f;
  test::StepSink sink;
  f.path().set_sink(sink);
  f.start_all();
  std::vector<std::uint32_t> pages;
  for (std::uint64_t i = 0; i < 1000; ++i) pages.push_back(DeviceFixture::page(2 * i));
  f.send_pfns(Role::kInflate, 0, pages);
  send_report(f, 1, 4000, 100);
  for (int i = 0; i < 5; ++i) f.path().poll();
  EXPECT_TRUE(f.ring(Role::kInflate).collect().empty());
  ASSERT_EQ(sink.waiting(), 4U) << "as much as a device may have on its way, and not all of it";
  f.path().inhibit(true);
  sink.step_all();
  const std::size_t before = sink.discarder.calls.size();
  while (f.path().poll()) sink.step_all();
  EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{0}));
  EXPECT_EQ(f.ring(Role::kReport).collect(), (Heads{1}));
  EXPECT_EQ(sink.discarder.calls.size(), before);
  // The driver may use these pages by now, and it did not promise to tell.
  f.path().inhibit(false);
  while (f.path().poll()) sink.step_all();
  EXPECT_EQ(sink.discarder.calls.size(), before);
}

TEST(Inhibit, AQuiesceComesToItsEnd) {
  for (const bool tells : {true, false}) {
    DeviceFixture f(kNever);
    test::StepSink sink;
    if (tells) f.driver_tells();
    f.path().set_sink(sink);
    f.start_all();
    f.send_pfns(Role::kInflate, 0, pages_from(0, 700));
    send_report(f, 1, 2000, 100);
    f.path().poll();
    f.path().inhibit(true);
    for (int i = 0; i < 100 && !f.path().quiesce(); ++i) sink.step_all();
    EXPECT_TRUE(f.path().quiesce());
    EXPECT_EQ(f.ring(Role::kReport).collect(), (Heads{1}));
  }
}

}  // namespace
}  // namespace vballoon::datapath
