// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/lcore/test_poller.cpp - a poll lcore owns what is attached to it, and nothing else.
// Does not prove how fast a detach is answered, only that it is, and what holds afterwards. A test
// here that waits for what never comes ends with the runner's timeout.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "support/running.hpp"

namespace vballoon::lcore {
namespace {

using datapath::DeviceFixture;
using wire::Role;

TEST(Poller, ServesWhatIsAttached) {
  DeviceFixture f;
  f.start(Role::kInflate);
  RunningPoller running(f.discarder());
  EXPECT_EQ(running.poller().lcore(), 7U);
  EXPECT_EQ(running.poller().devices(), 0U);
  running.attach(f);
  EXPECT_EQ(running.poller().devices(), 1U);
  for (std::uint16_t i = 0; i < 100; ++i) {
    f.send_pfns(Role::kInflate, i % 64, datapath::pages_from(i * 256U, 256));
    wait_for_used(f, Role::kInflate, static_cast<std::uint16_t>(i + 1));
  }
  running.detach(f);
  EXPECT_EQ(running.poller().devices(), 0U);
  EXPECT_EQ(f.counters().inflate_pages.get(), 100U * 256U);
  EXPECT_GE(running.poller().counters().busy_passes.get(), 100U);
  EXPECT_GE(running.poller().counters().passes.get(),
            running.poller().counters().busy_passes.get());
}

TEST(Poller, LeavesADetachedPathAlone) {
  DeviceFixture f;
  f.start(Role::kInflate);
  RunningPoller running(f.discarder());
  running.attach(f);
  running.detach(f);
  f.send_pfns(Role::kInflate, 0, datapath::pages_from(0, 4));
  running.wait_for_passes(1000);
  EXPECT_EQ(f.ring(Role::kInflate).used_idx(), 0U);
  EXPECT_TRUE(f.path().poll()) << "the caller owns it again";
  EXPECT_EQ(f.ring(Role::kInflate).used_idx(), 1U);
}

TEST(Poller, OwnsWhatIsAttached) {
  DeviceFixture f;
  RunningPoller running(f.discarder());
  EXPECT_TRUE(f.path().owner().may_use());
  running.attach(f);
  EXPECT_FALSE(f.path().owner().may_use());
  running.detach(f);
  EXPECT_TRUE(f.path().owner().may_use());
}

TEST(Poller, ServesManyAndGivesBackAnyOfThem) {
  constexpr std::size_t kDevices = 5;
  Nowhere nowhere;
  RunningPoller running(nowhere);
  std::vector<std::unique_ptr<DeviceFixture>> devices;
  for (std::size_t i = 0; i < kDevices; ++i) {
    devices.push_back(std::make_unique<DeviceFixture>());
    devices.back()->start(Role::kInflate);
    running.attach(*devices.back());
  }
  std::set<std::size_t> attached{0, 1, 2, 3, 4};
  for (const std::size_t gone : {2U, 0U, 4U, 1U, 3U}) {
    running.detach(*devices[gone]);
    attached.erase(gone);
    EXPECT_EQ(running.poller().devices(), attached.size());
    for (const auto& device : devices) {
      device->send_pfns(Role::kInflate, device->ring(Role::kInflate).avail_idx() % 64,
                        datapath::pages_from(0, 1));
    }
    for (const std::size_t i : attached) {
      wait_for_used(*devices[i], Role::kInflate, devices[i]->ring(Role::kInflate).avail_idx());
    }
    running.wait_for_passes(100);
    for (std::size_t i = 0; i < kDevices; ++i) {
      const auto& ring = devices[i]->ring(Role::kInflate);
      EXPECT_EQ(ring.used_idx() == ring.avail_idx(), attached.contains(i)) << i;
    }
  }
}

// Invariant 2 of the design, section 5, and the journey of a quiesce: a driver that never pauses,
// an owner that takes the device off its lcore and puts it back, again and again.
TEST(Poller, OwnershipIsExclusiveUnderLoad) {
  constexpr std::uint32_t kBuffers = 10'000;
  constexpr unsigned kSize = 64;
  DeviceFixture f(kSize);
  f.start(Role::kInflate);
  RunningPoller running(f.discarder());
  std::atomic<std::thread::id> owner{std::this_thread::get_id()};
  std::atomic<std::uint64_t> foreign{0};
  f.discarder().on_call = [&](const test::DiscardCall&) {
    if (std::this_thread::get_id() != owner.load()) ++foreign;
  };
  std::atomic<bool> done{false};
  std::atomic<std::uint32_t> wrong{0};
  std::atomic<std::uint64_t> rounds{0};
  std::thread driver([&] {
    auto& ring = f.ring(Role::kInflate);
    std::uint32_t sent = 0;
    // A quarter of them in each of the first rounds at the earliest, however fast the lcore is.
    const auto allowed = [&rounds] { return (rounds.load() + 1) * (kBuffers / 4); };
    for (std::uint32_t back = 0; back < kBuffers;) {
      while (sent < kBuffers && sent - back < kSize && sent < allowed()) {
        f.send_pfns(Role::kInflate, static_cast<std::uint16_t>(sent % kSize),
                    {DeviceFixture::page(sent % 50'000)});
        ++sent;
      }
      const auto used = ring.collect();
      if (used.empty()) std::this_thread::yield();
      for (const std::uint32_t id : used) {
        if (id != back++ % kSize) ++wrong;
      }
    }
    done = true;
  });
  for (; !done; ++rounds) {
    owner = running.thread();
    running.attach(f);
    running.wait_for_passes(20);
    running.detach(f);
    owner = std::this_thread::get_id();
    const std::uint16_t before = f.ring(Role::kInflate).used_idx();
    if (rounds % 3 == 0) {
      // The owner may do with it as it likes: here, stop it and start it where it stopped.
      const std::uint16_t position = f.path().stop(Role::kInflate);
      EXPECT_EQ(position, before);
      f.start(Role::kInflate, position, true);
    }
    EXPECT_EQ(f.ring(Role::kInflate).used_idx(), before) << "served by nobody";
  }
  driver.join();
  EXPECT_EQ(wrong, 0U) << "each buffer once, in its order";
  EXPECT_EQ(foreign, 0U) << "discarded by a thread that did not own the device";
  EXPECT_GE(rounds, 3U);
}

TEST(Poller, AnswersManySendersAtOnce) {
  constexpr unsigned kSenders = 4;
  constexpr unsigned kRounds = 100;
  Nowhere nowhere;
  RunningPoller running(nowhere);
  std::vector<std::unique_ptr<DeviceFixture>> devices;
  for (unsigned i = 0; i < kSenders; ++i) {
    devices.push_back(std::make_unique<DeviceFixture>());
    devices.back()->start(Role::kInflate);
  }
  std::vector<std::thread> senders;
  for (unsigned i = 0; i < kSenders; ++i) {
    senders.emplace_back([&running, &device = *devices[i]] {
      for (unsigned round = 0; round < kRounds; ++round) {
        running.attach(device);
        running.detach(device);
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(running.poller().devices(), 0U);
}

// Nothing changes but the clock.
TEST(Poller, LooksAgainWhenPagesHaveWaitedLongEnough) {
  DeviceFixture f(reclaim::ReclaimLimits{.ages = {.longest_us = 20'000, .long_runs_us = 2'000}});
  f.driver_tells();
  f.start(Role::kInflate);
  Nowhere nowhere;
  RunningPoller running(nowhere);
  running.attach(f);
  for (std::uint16_t i = 0; i < 3; ++i) {
    f.send_pfns(Role::kInflate, i, datapath::pages_from(2 * i, 1));
    wait_for_used(f, Role::kInflate, static_cast<std::uint16_t>(i + 1));
    // Counted once the call is over.
    while (f.reclaimed().inflated.bytes.get() != (i + 1U) * kPageSize) std::this_thread::yield();
  }
  EXPECT_EQ(nowhere.calls, 3U);
  running.detach(f);
}

TEST(Poller, StopEndsTheLoopAndLeavesDevicesWhole) {
  DeviceFixture f;
  f.start(Role::kInflate);
  RunningPoller running(f.discarder());
  running.attach(f);
  running.stop();
  f.path().owner().take();  // the thread that had it is gone
  const std::uint64_t passes = running.poller().counters().passes.get();
  f.send_pfns(Role::kInflate, 0, datapath::pages_from(0, 1));
  EXPECT_TRUE(f.path().poll());
  EXPECT_EQ(f.ring(Role::kInflate).collect().size(), 1U);
  EXPECT_EQ(running.poller().counters().passes.get(), passes);
}

TEST(Poller, StoppedBeforeItRunsItDoesNotRun) {
  Nowhere nowhere;
  Poller poller(0, IdleStrategy::kSpin, nowhere);
  poller.stop();
  poller.run();
  EXPECT_EQ(poller.counters().passes.get(), 0U);
}

TEST(Poller, BackingOffItStillServesAndAnswers) {
  DeviceFixture f;
  f.start(Role::kInflate);
  RunningPoller running(f.discarder(), IdleStrategy::kBackoff);
  while (running.poller().counters().sleeps.get() < 3) std::this_thread::yield();
  running.attach(f);
  f.send_pfns(Role::kInflate, 0, datapath::pages_from(0, 1));
  wait_for_used(f, Role::kInflate, 1);
  running.detach(f);
  EXPECT_EQ(f.ring(Role::kInflate).used_flags(), wire::kUsedNoNotify) << "kicks stay off";
}

}  // namespace
}  // namespace vballoon::lcore
