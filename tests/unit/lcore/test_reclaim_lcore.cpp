// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/lcore/test_reclaim_lcore.cpp - poll lcores serve, reclaim lcores discard.
// A test here that waits for what never comes ends with the runner's timeout.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "support/eal.hpp"
#include "support/running.hpp"

namespace vballoon::lcore {
namespace {

using datapath::DeviceFixture;
using wire::Role;

std::unique_ptr<reclaim::Engine> make_engine(unsigned workers, reclaim::Discarder& discarder) {
  test::need_eal();
  auto engine = reclaim::Engine::create(workers, discarder);
  EXPECT_TRUE(engine.has_value());
  return std::move(*engine);
}

/// Lets nothing through until the test says so.
class OneGate final : public reclaim::Discarder {
 public:
  [[nodiscard]] bool discard(int, std::uint64_t, std::uint64_t) noexcept override {
    thread = std::this_thread::get_id();
    ++entered;
    open.wait(false);
    ++left;
    return true;
  }
  void wait_for_one() const {
    while (entered == 0) std::this_thread::yield();
  }
  void let_go() {
    open = true;
    open.notify_all();
  }

  std::atomic<bool> open{false};
  std::atomic<unsigned> entered{0};
  std::atomic<unsigned> left{0};
  std::atomic<std::thread::id> thread;
};

TEST(ReclaimLcore, DiscardsWhatThePollLcoreServes) {
  OneGate gate;
  gate.let_go();
  const auto engine = make_engine(1, gate);
  RunningReclaim reclaim(*engine, 0);
  RunningPoller running(*engine);
  EXPECT_EQ(reclaim.lcore().lcore(), 9U);
  for (const bool tells : {true, false}) {
    DeviceFixture f;
    if (tells) f.driver_tells();
    f.start_all();
    running.attach(f);
    for (std::uint16_t i = 0; i < 100; ++i) {
      f.send_pfns(Role::kInflate, i % 64, datapath::pages_from(i * 256U, 256));
      wait_for_used(f, Role::kInflate, static_cast<std::uint16_t>(i + 1));
    }
    f.send_pfns(Role::kDeflate, 0, datapath::pages_from(0, 256));
    wait_for_used(f, Role::kDeflate, 1);
    running.detach(f);
    EXPECT_EQ(f.reclaimed().inflated.bytes.get(), 100U * kMiB);
    EXPECT_EQ(f.reclaimed().in_flight.get(), 0U);
    EXPECT_EQ(f.counters().ballooned_pages.get(), 99U * 256U);
  }
  EXPECT_EQ(gate.thread.load(), reclaim.thread());
  EXPECT_GT(reclaim.lcore().counters().batches.get(), 0U);
}

// Section 4 of the design: early the driver goes on while its pages go; a deflate is a fence.
TEST(ReclaimLcore, WhileItIsBusyInflatesAreUsedAndDeflatesHeld) {
  OneGate gate;
  const auto engine = make_engine(1, gate);
  RunningReclaim reclaim(*engine, 0);
  RunningPoller running(*engine);
  DeviceFixture f;
  f.driver_tells();
  f.start_all();
  running.attach(f);
  f.send_pfns(Role::kInflate, 0, datapath::pages_from(0, 256));
  wait_for_used(f, Role::kInflate, 1);
  gate.wait_for_one();
  f.send_pfns(Role::kDeflate, 0, datapath::pages_from(0, 1));
  f.send_pfns(Role::kInflate, 1, datapath::pages_from(1000, 256));
  wait_for_used(f, Role::kInflate, 2);
  running.wait_for_passes(100);
  EXPECT_EQ(f.ring(Role::kDeflate).used_idx(), 0U);
  EXPECT_EQ(gate.left, 0U);
  gate.let_go();
  wait_for_used(f, Role::kDeflate, 1);
  EXPECT_GE(gate.left, 1U);
  running.detach(f);
}

TEST(ReclaimLcore, ADetachWaitsForWhatIsOnItsWayAndHoldsUpNobody) {
  OneGate gate;
  const auto engine = make_engine(1, gate);
  RunningReclaim reclaim(*engine, 0);
  RunningPoller running(*engine);
  DeviceFixture f;
  DeviceFixture other;
  for (DeviceFixture* device : {&f, &other}) {
    device->driver_tells();
    device->start_all();
    running.attach(*device);
  }
  f.send_pfns(Role::kInflate, 0, datapath::pages_from(0, 256));
  gate.wait_for_one();
  f.send_pfns(Role::kDeflate, 3, datapath::pages_from(0, 1));
  while (f.counters().deflate_pages.get() == 0) std::this_thread::yield();
  std::atomic<bool> detached{false};
  std::thread owner([&] {
    running.detach(f);
    detached = true;
  });
  for (std::uint16_t i = 0; i < 50; ++i) {
    other.send_pfns(Role::kInflate, i, {DeviceFixture::page(i)});
    wait_for_used(other, Role::kInflate, static_cast<std::uint16_t>(i + 1));
  }
  running.wait_for_passes(100);
  EXPECT_FALSE(detached);
  EXPECT_EQ(f.ring(Role::kDeflate).used_idx(), 0U);
  gate.let_go();
  owner.join();
  EXPECT_EQ(f.ring(Role::kDeflate).used_idx(), 1U) << "no buffer is held";
  EXPECT_EQ(f.reclaimed().in_flight.get(), 0U);
  EXPECT_EQ(f.reclaimed().inflated.bytes.get(), kMiB);
  EXPECT_FALSE(f.path().poll());
  running.detach(other);
}

TEST(ReclaimLcore, TwoPollLcoresShareTwoOfThem) {
  constexpr unsigned kBuffers = 200;
  Nowhere nowhere;
  const auto engine = make_engine(2, nowhere);
  RunningReclaim first_reclaim(*engine, 0);
  RunningReclaim second_reclaim(*engine, 1);
  RunningPoller first(*engine);
  RunningPoller second(*engine);
  std::vector<std::unique_ptr<DeviceFixture>> devices;
  for (unsigned i = 0; i < 4; ++i) {
    devices.push_back(std::make_unique<DeviceFixture>());
    if (i % 3 == 0) devices.back()->driver_tells();
    devices.back()->start_all();
    (i < 2 ? first : second).attach(*devices.back(), i % 2);
  }
  std::vector<std::thread> drivers;
  for (const auto& device : devices) {
    drivers.emplace_back([&f = *device] {
      for (std::uint16_t i = 0; i < kBuffers; ++i) {
        // A page in, and out again: compaction.
        f.send_pfns(Role::kInflate, i % 64, datapath::pages_from(i * 3U, 2));
        wait_for_used(f, Role::kInflate, static_cast<std::uint16_t>(i + 1));
        f.send_pfns(Role::kDeflate, i % 64, datapath::pages_from(i * 3U, 1));
        wait_for_used(f, Role::kDeflate, static_cast<std::uint16_t>(i + 1));
      }
    });
  }
  for (std::thread& driver : drivers) driver.join();
  for (unsigned i = 0; i < 4; ++i) {
    (i < 2 ? first : second).detach(*devices[i]);
    EXPECT_EQ(devices[i]->counters().ballooned_pages.get(), kBuffers);
    EXPECT_EQ(devices[i]->reclaimed().in_flight.get(), 0U);
    EXPECT_FALSE(devices[i]->path().restless());
  }
  EXPECT_GT(first_reclaim.lcore().counters().batches.get(), 0U);
  EXPECT_GT(second_reclaim.lcore().counters().batches.get(), 0U);
  EXPECT_GT(nowhere.calls, 0U);
}

TEST(ReclaimLcore, StoppedBeforeItRunsItDoesNotRun) {
  Nowhere nowhere;
  const auto engine = make_engine(1, nowhere);
  ReclaimLcore lcore(3, *engine, 0, IdleStrategy::kSpin);
  lcore.stop();
  lcore.run();
  EXPECT_EQ(lcore.counters().batches.get(), 0U);
}

}  // namespace
}  // namespace vballoon::lcore
