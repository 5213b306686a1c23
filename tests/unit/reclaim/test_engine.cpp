// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_engine.cpp - batches travel on real rings, to whom they belong, and back.
// Threads are those of the operating system. Does not prove that a lcore never waits for another:
// that is the rings' word.
#include "reclaim/engine.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "reclaim/lane.hpp"
#include "reclaim/reclaimer.hpp"
#include "support/eal.hpp"
#include "support/fake_discarder.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::reclaim {
namespace {

constexpr std::uint64_t kPages = 4096;  // of each device

/// A guest whose file is empty up to the place of its own: page n of device d is d * kPages + n.
class Device {
 public:
  Device(unsigned number, BatchSink& sink)
      : ram_({{Gpa{0}, kPages * kPageSize, number * kPages * kPageSize}}) {
    reclaimer.handover().set_sink(sink);
    reclaimer.gather().set_tells_host(true);
    reclaimer.set_memory(ram_.map());
  }

 private:
  test::GuestRam ram_;

 public:
  Reclaimer reclaimer{ReclaimLimits{}};
};

class EngineTest : public testing::Test {
 protected:
  void create(unsigned workers) {
    test::need_eal();
    auto engine = Engine::create(workers, discarder_);
    ASSERT_TRUE(engine.has_value()) << engine.error().message;
    engine_ = std::move(*engine);
  }
  /// What a poll lcore's next pass over it does.
  static void pass(Device& device) { device.reclaimer.pump(0, true); }
  static void inflate_and_pump(Device& device, PageRun run) {
    device.reclaimer.inflate(run, 0);
    device.reclaimer.pump(0, true);
  }

  test::FakeDiscarder discarder_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, ABatchGoesThereAndBack) {
  create(1);
  Device device(0, engine_->sink(0));
  EXPECT_EQ(engine_->work(0), 0U);
  inflate_and_pump(device, {10, 20});
  pass(device);
  EXPECT_TRUE(device.reclaimer.in_flight()) << "not carried out yet";
  EXPECT_TRUE(discarder_.calls.empty());
  EXPECT_EQ(engine_->work(0), 1U);
  ASSERT_EQ(discarder_.calls.size(), 1U);
  EXPECT_EQ(discarder_.calls[0].offset, 10 * kPageSize);
  EXPECT_EQ(discarder_.calls[0].bytes, 20 * kPageSize);
  EXPECT_TRUE(device.reclaimer.in_flight()) << "its owner has not heard of it";
  EXPECT_EQ(device.reclaimer.counters().inflated.bytes.get(), 0U);
  pass(device);
  EXPECT_FALSE(device.reclaimer.in_flight());
  EXPECT_EQ(device.reclaimer.counters().inflated.bytes.get(), 20 * kPageSize);
}

/// A burst may be long; who watches an lcore sees that it goes on.
TEST_F(EngineTest, EachBatchIsCountedAsSoonAsItIsCarriedOut) {
  create(1);
  Device device(0, engine_->sink(0));
  for (std::uint64_t i = 0; i < 3; ++i) inflate_and_pump(device, {10 * i, 1});
  Counter count;
  std::vector<std::uint64_t> seen;
  discarder_.on_call = [&](const test::DiscardCall&) { seen.push_back(count.get()); };
  Tenure tenure;
  const auto turn = engine_->work(0, tenure, count);
  EXPECT_EQ(turn.batches, 3U);
  EXPECT_FALSE(turn.lost);
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{0, 1, 2}));
  EXPECT_EQ(count.get(), 3U);
  pass(device);
  EXPECT_FALSE(device.reclaimer.in_flight());
}

TEST_F(EngineTest, EachWorkerAndEachDeviceSeesItsOwn) {
  constexpr unsigned kEach = 3;
  constexpr unsigned kWorkers = 2;
  create(kWorkers);
  std::vector<std::unique_ptr<Device>> devices;
  for (unsigned number = 0; number < kEach * kWorkers; ++number) {
    devices.push_back(std::make_unique<Device>(number, engine_->sink(number % kWorkers)));
    inflate_and_pump(*devices.back(), {number, 1});
  }
  for (unsigned worker = 0; worker < kWorkers; ++worker) {
    discarder_.calls.clear();
    EXPECT_EQ(engine_->work(worker), kEach);
    for (const test::DiscardCall& call : discarder_.calls) {
      EXPECT_EQ(call.offset / kPageSize / kPages % kWorkers, worker);
    }
  }
  for (unsigned number = 0; number < devices.size(); ++number) {
    pass(*devices[number]);
    for (unsigned i = 0; i < devices.size(); ++i) {
      EXPECT_EQ(devices[i]->reclaimer.in_flight(), i > number) << i;
    }
  }
}

/// Of a VM that is slow: they take their turn in its lane, in their order, and come back as ever.
TEST_F(EngineTest, BatchesOfADeviceWithALaneArePassedOn) {
  create(1);
  Device slow(0, engine_->sink(0));
  Device other(1, engine_->sink(0));
  Lane lane;
  slow.reclaimer.handover().conduct()->lane = &lane;
  for (std::uint64_t i = 0; i < 4; ++i) inflate_and_pump(slow, {10 * i, 1});
  inflate_and_pump(other, {0, 1});
  EXPECT_EQ(engine_->work(0), 5U);
  ASSERT_EQ(discarder_.calls.size(), 1U) << "the other's alone";
  EXPECT_EQ(discarder_.calls[0].offset, kPages * kPageSize);
  pass(other);
  pass(slow);
  EXPECT_FALSE(other.reclaimer.in_flight());
  EXPECT_EQ(slow.reclaimer.counters().in_flight.get(), 4U);
  Tenure tenure;
  for (std::uint64_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(engine_->work(lane, tenure));
    EXPECT_EQ(discarder_.calls.back().offset, 10 * i * kPageSize);
  }
  EXPECT_FALSE(engine_->work(lane, tenure));
  pass(slow);
  EXPECT_FALSE(slow.reclaimer.in_flight());
}

/// Fences are passed in order, though who carries batches out may overtake one another.
TEST_F(EngineTest, ABatchThatIsDoneWaitsForAnOlderOne) {
  create(1);
  Device device(0, engine_->sink(0));
  Lane lane;
  device.reclaimer.handover().conduct()->lane = &lane;
  inflate_and_pump(device, {0, 1});
  const Fence first = device.reclaimer.handover().handed_over();
  EXPECT_EQ(engine_->work(0), 1U);
  device.reclaimer.handover().conduct()->lane = nullptr;
  inflate_and_pump(device, {10, 1});
  EXPECT_EQ(engine_->work(0), 1U);
  pass(device);
  EXPECT_EQ(device.reclaimer.counters().in_flight.get(), 2U) << "one is done, and not the first";
  EXPECT_FALSE(device.reclaimer.handover().passed(first));
  Tenure tenure;
  EXPECT_TRUE(engine_->work(lane, tenure));
  pass(device);
  EXPECT_FALSE(device.reclaimer.in_flight());
  EXPECT_EQ(discarder_.calls.size(), 2U);
}

TEST_F(EngineTest, NoDeviceTakesMoreThanItsShareOfTheBatches) {
  create(1);
  Device greedy(0, engine_->sink(0));
  Device modest(1, engine_->sink(0));
  for (std::uint64_t page = 0; page < kPages; page += 2) greedy.reclaimer.inflate({page, 1}, 0);
  for (int pass = 0; pass < 10; ++pass) greedy.reclaimer.pump(0, true);
  EXPECT_EQ(greedy.reclaimer.counters().in_flight.get(), 4U);
  EXPECT_EQ(greedy.reclaimer.counters().sink_full.get(), 1U) << "one wait, however many passes";
  inflate_and_pump(modest, {7, 1});
  EXPECT_EQ(modest.reclaimer.counters().sink_full.get(), 0U);
  while (engine_->work(0) != 0) greedy.reclaimer.pump(0, true);
  EXPECT_FALSE(greedy.reclaimer.busy());
  EXPECT_EQ(discarder_.calls.size(), kPages / 2 + 1) << "none lost, none twice";
  EXPECT_EQ(discarder_.file_pages().size(), kPages / 2 + 1);
}

// All the batches that exist fit into any ring, so a way is never full, and one that is
// empty-handed tries again.
TEST_F(EngineTest, AllBatchesMayBeUnderWayAndComeBack) {
  create(1);
  Device device(0, engine_->sink(0));
  Device other(1, engine_->sink(0));
  for (int round = 0; round < 3; ++round) {
    std::vector<Batch*> batches;
    while (Batch* batch = engine_->sink(0).acquire()) batches.push_back(batch);
    ASSERT_GT(batches.size(), 100U);
    inflate_and_pump(other, {static_cast<std::uint64_t>(round), 1});
    EXPECT_EQ(other.reclaimer.counters().sink_full.get(), static_cast<std::uint64_t>(round + 1));
    for (Batch* batch : batches) {
      batch->begin(&device.reclaimer.handover(), -1, Account::kReported);
      ASSERT_TRUE(engine_->sink(0).submit(batch));
    }
    std::size_t done = 0;
    while (const std::size_t count = engine_->work(0)) done += count;
    EXPECT_EQ(done, batches.size());
    for (Batch* batch : batches) {
      EXPECT_TRUE(batch->done);
      engine_->sink(0).release(batch);
    }
    pass(other);
    EXPECT_EQ(engine_->work(0), 1U);
    pass(other);
    EXPECT_FALSE(other.reclaimer.busy());
  }
}

TEST_F(EngineTest, TwoEnginesDoNotKnowEachOther) {
  create(1);
  test::FakeDiscarder unused;
  const auto second = Engine::create(1, unused);
  ASSERT_TRUE(second.has_value()) << second.error().message;
  Device device(0, engine_->sink(0));
  inflate_and_pump(device, {0, 1});
  EXPECT_EQ((*second)->work(0), 0U);
  EXPECT_EQ(engine_->work(0), 1U);
  pass(device);
  EXPECT_FALSE(device.reclaimer.in_flight());
}

/// Counts, for every page of every device, how often it was discarded.
class CountingDiscarder final : public Discarder {
 public:
  explicit CountingDiscarder(std::size_t pages) : counts(pages) {}
  [[nodiscard]] bool discard(int, std::uint64_t offset, std::uint64_t bytes) noexcept override {
    for (std::uint64_t at = offset; at < offset + bytes; at += kPageSize) {
      counts[at / kPageSize].fetch_add(1, std::memory_order_relaxed);
    }
    return true;
  }
  std::vector<std::atomic<unsigned>> counts;
};

/// One device on its poll lcore: hands runs over, and looks at their pages when their fence is
/// passed.
class Sender {
 public:
  Sender(unsigned number, BatchSink& sink, const CountingDiscarder& discarder)
      : random_(90 + number),
        device_(number, sink),
        discarder_(discarder),
        first_(number * kPages) {}

  /// @return false once all rounds are done, and all of it is back.
  bool step(unsigned rounds) {
    if (round_ < rounds && next_ < kPages) send();
    device_.reclaimer.pump(0, true);
    if (unsealed_ && device_.reclaimer.drained()) {
      sent_.push_back({next_, device_.reclaimer.handover().handed_over()});
      unsealed_ = false;
    }
    for (; !sent_.empty() && device_.reclaimer.handover().passed(sent_.front().fence);
         sent_.pop_front()) {
      for (; seen_ < sent_.front().end; ++seen_) {
        if (discarder_.counts[first_ + seen_].load(std::memory_order_relaxed) != round_ + 1)
          ++wrong;
      }
    }
    if (seen_ == kPages) {
      device_.reclaimer.deflate({0, kPages});
      next_ = seen_ = 0;
      ++round_;
    }
    return round_ < rounds;
  }

  std::uint64_t wrong = 0;  // pages that were not discarded exactly once by their fence

 private:
  struct Sent {
    std::uint64_t end;
    Fence fence;
  };
  void send() {
    // Fragments, and now and then a long run.
    const std::uint64_t most = random_() % 8 == 0 ? 600 : 3;
    const std::uint64_t pages = std::min<std::uint64_t>(1 + random_() % most, kPages - next_);
    device_.reclaimer.inflate({next_, pages}, 0);
    next_ += pages;
    unsealed_ = true;
  }

  std::mt19937 random_;
  Device device_;
  const CountingDiscarder& discarder_;
  const std::uint64_t first_;
  std::deque<Sent> sent_;
  std::uint64_t next_ = 0;
  std::uint64_t seen_ = 0;
  unsigned round_ = 0;
  bool unsealed_ = false;
};

TEST(EngineThreads, FencesPassInOrderAndNoPageIsLost) {
  constexpr unsigned kPollLcores = 2;
  constexpr unsigned kWorkers = 2;
  constexpr unsigned kRounds = 20;
  test::need_eal();
  CountingDiscarder discarder(kPollLcores * kWorkers * kPages);
  auto engine = Engine::create(kWorkers, discarder);
  ASSERT_TRUE(engine.has_value()) << engine.error().message;
  std::atomic<unsigned> running{kPollLcores};
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned worker = 0; worker < kWorkers; ++worker) {
    threads.emplace_back([&, worker] {
      while (running != 0) {
        if ((*engine)->work(worker) == 0) std::this_thread::yield();
      }
    });
  }
  for (unsigned lcore = 0; lcore < kPollLcores; ++lcore) {
    threads.emplace_back([&, lcore] {
      std::vector<std::unique_ptr<Sender>> senders;
      for (unsigned worker = 0; worker < kWorkers; ++worker) {
        senders.push_back(std::make_unique<Sender>(lcore * kWorkers + worker,
                                                   (*engine)->sink(worker), discarder));
      }
      for (bool more = true; more;) {
        more = false;
        for (const auto& sender : senders) more |= sender->step(kRounds);
        std::this_thread::yield();
      }
      for (const auto& sender : senders) wrong += sender->wrong;
      --running;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0U);
  for (const auto& count : discarder.counts) ASSERT_EQ(count, kRounds) << "once a round";
}

}  // namespace
}  // namespace vballoon::reclaim
