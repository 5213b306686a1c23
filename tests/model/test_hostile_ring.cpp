// SPDX-License-Identifier: BSD-3-Clause
//
// Rings of a guest that means ill, at their limits: the longest ring full at once, 4 GiB in one
// descriptor, rings that change while they are read or lie over each other, tables across regions.
// Each ends counted, returned or broken, and a reset heals it. Single fields: bad_input_test.cpp.
#include <atomic>
#include <cstring>
#include <random>
#include <thread>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using driver::DriverQueue;
using driver::Segment;
using wire::Descriptor;

class HostileRing : public DaemonTest {
 protected:
  static constexpr Gpa kBuffer{24 * kMiB};

  void TearDown() override { EXPECT_TRUE(daemon_.alive()); }

  void write(Gpa at, std::span<const std::uint32_t> words) {
    std::memcpy(ram_.at(at, words.size_bytes()).data(), words.data(), words.size_bytes());
  }

  /// On a driver that starts over, or on a new connection where the old one's rings are beyond it.
  void expect_healed_by_reset(std::unique_ptr<BalloonDriver> driver) {
    if (!driver->reset()) {
      driver.reset();
      driver = connect(late());
    }
    const std::vector<Pfn> some{Pfn{5000}, Pfn{5001}, Pfn{5002}};
    must(driver->inflate(some));
    expect_gone(some);
    must(driver->deflate(some));
    const Json device = show();
    EXPECT_EQ(device.at("state"), "running");
    for (const Json& queue : device.at("queues")) EXPECT_EQ(queue.at("reason"), "");
  }
};

TEST_F(HostileRing, AllOfTheLargestRingAtOnce) {
  constexpr unsigned kSize = 32768;
  DriverOptions options = late();
  options.queue_size = kSize;
  options.arena_bytes = 16 * kMiB;
  options.indirect = driver::Indirect::kNever;
  auto driver = connect(options);
  write(kBuffer, std::vector<std::uint32_t>{5000});
  DriverQueue& queue = driver->queue(Role::kInflate);
  while (queue.add(std::vector<Segment>{{kBuffer, 4, false}})) continue;
  EXPECT_EQ(queue.free_descriptors(), 0U);
  queue.publish();
  for (unsigned i = 0; i < kSize; ++i) must(driver->await(queue));
  EXPECT_EQ(queue.outstanding(), 0U);
  EXPECT_FALSE(queue.poll()) << "one more came back than was sent";
  expect_no_violations(*driver);
  expect_ballooned(1);
  EXPECT_EQ(counter("already_ballooned"), kSize - 1);
  expect_healed_by_reset(std::move(driver));
}

/// Legal, where there is as much memory: a report and a hint of 2^32 - 1 bytes.
TEST_F(HostileRing, FourGigabytesInOneDescriptor) {
  constexpr Gpa kAt{kGiB};
  constexpr std::uint32_t kLength = 0xFFFFFFFF;
  ram_ = must(GuestRam::create(driver::flat_ram(6 * kGiB)));
  auto driver = connect(late());
  const Pfn first{static_cast<std::uint32_t>(bytes_to_pages(kAt.value))};
  const Pfn last{first.value + (1U << 20) - 1};  // the one whose last byte is not reported
  const Pfn behind{last.value + 1};
  for (const Pfn pfn : {first, Pfn{last.value - 1}, last, behind}) {
    driver::fill_canary(ram_.page(pfn), 1, pfn);
  }
  for (const Role role : {Role::kHint, Role::kReport}) {
    DriverQueue& queue = driver->queue(role);
    ASSERT_TRUE(queue.add(std::vector<Segment>{{kAt, kLength, true}}));
    queue.publish();
    must(driver->await(queue));
    EXPECT_EQ(ram_.is_allocated(first), role == Role::kHint);
  }
  expect_gone(std::vector<Pfn>{first, Pfn{last.value - 1}});
  expect_untouched(std::vector<Pfn>{last, behind});
  EXPECT_EQ(counter("bad_chains"), 0U);
  expect_no_violations(*driver);
  expect_healed_by_reset(std::move(driver));
}

/// ... and where there is not, nothing of it is done.
TEST_F(HostileRing, FourGigabytesThatAreNotThere) {
  auto driver = connect(late());
  const std::vector<Pfn> pages = fill(*driver);
  const Gpa at = to_gpa(pages[100]);
  std::uint64_t sent = 0;
  for (const Role role : {Role::kInflate, Role::kDeflate, Role::kHint, Role::kReport}) {
    for (const std::uint32_t length : {0xFFFFFFFFU, 0xFFFFF000U, 0x80000000U}) {
      DriverQueue& queue = driver->queue(role);
      const bool writable = role == Role::kHint || role == Role::kReport;
      ASSERT_TRUE(queue.add(std::vector<Segment>{{at, length, writable}}));
      queue.publish();
      must(driver->await(queue));
      ++sent;
    }
  }
  EXPECT_EQ(counter("bad_chains"), sent);
  expect_ballooned(0);
  expect_untouched(pages);
  expect_no_violations(*driver);
  expect_healed_by_reset(std::move(driver));
}

/// A table from one region into its neighbour is a table like any other; one that ends in a hole is
/// none.
TEST_F(HostileRing, TablesAcrossRegions) {
  driver::RamPlan plan;
  for (unsigned file = 0; file < 2; ++file) {
    plan.regions.push_back({.first = Gpa{file * 16 * kMiB}, .bytes = 16 * kMiB, .file = file});
  }
  ram_ = must(GuestRam::create(plan));
  auto driver = connect(late());
  write(Gpa{8 * kMiB}, std::vector<std::uint32_t>{5000});
  write(Gpa{8 * kMiB + 4096}, std::vector<std::uint32_t>{5002});
  const auto entry = [](std::uint64_t addr, bool last) {
    const std::uint16_t link = !last && !packed_run() ? 1 : 0;
    return Descriptor{addr, 4, link != 0 ? wire::kDescNext : std::uint16_t{0}, link};
  };
  const std::array<Descriptor, 2> table{entry(8 * kMiB, false), entry(8 * kMiB + 4096, true)};
  DriverQueue& queue = driver->queue(Role::kInflate);
  // Between the entries, within the first one, within the second.
  for (const std::uint64_t before : {16U, 8U, 4U, 24U}) {
    const auto* const bytes = reinterpret_cast<const std::byte*>(table.data());
    std::memcpy(ram_.at(Gpa{16 * kMiB - before}, before).data(), bytes, before);
    std::memcpy(ram_.at(Gpa{16 * kMiB}, 32 - before).data(), bytes + before, 32 - before);
    ASSERT_TRUE(queue.add_described(
        std::vector<Descriptor>{{16 * kMiB - before, sizeof(table), wire::kDescIndirect, 0}}));
    queue.publish();
    must(driver->await(queue));
    expect_ballooned(2);
    EXPECT_EQ(counter("bad_chains"), 0U) << before;
  }
  expect_gone(std::vector<Pfn>{Pfn{5000}, Pfn{5002}});
  ASSERT_TRUE(queue.add_described(
      std::vector<Descriptor>{{32 * kMiB - 16, sizeof(table), wire::kDescIndirect, 0}}));
  queue.publish();
  must(driver->await(queue));
  EXPECT_EQ(counter("bad_chains"), 1U);
  expect_no_violations(*driver);
  expect_healed_by_reset(std::move(driver));
}

/// Descriptors, indices and flags of the inflate ring change while the device takes buffers; the
/// other rings and the other pages are served.
TEST_F(HostileRing, ARingThatChangesWhileItIsRead) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(testing::Message() << "VBALLOON_MODEL_SEED=" << seed);
  auto driver = connect(late());
  DriverQueue& queue = driver->queue(Role::kInflate);
  const auto place = queue.place();
  const std::size_t bytes = wire::descriptor_table_bytes(queue.size());
  std::atomic<bool> stop{false};
  std::thread scribbler([&] {
    std::mt19937_64 random(seed);
    while (!stop.load(std::memory_order_relaxed)) {
      place.descriptors[random() % bytes] = static_cast<std::byte>(random());
      if (random() % 64 == 0) place.driver[random() % 4] = static_cast<std::byte>(random());
      if (random() % 64 == 0) place.device[random() % 4] = static_cast<std::byte>(random());
    }
  });
  for (int i = 0; i < 100; ++i) {
    must(driver->deflate(std::vector<Pfn>{Pfn{5000}}));
    if (i % 10 == 0) {
      // Broken by then, it is started again with everything as it is.
      static_cast<void>(driver->front_end().set_vring_base(0, static_cast<std::uint32_t>(i)));
    }
  }
  stop = true;
  scribbler.join();
  EXPECT_TRUE(daemon_.alive());
  expect_healed_by_reset(std::move(driver));
}

/// What the device writes into one area it reads in another.
TEST_F(HostileRing, AreasOverEachOther) {
  const auto base = reinterpret_cast<std::uintptr_t>(ram_.at(Gpa{0}, 1).data());
  for (const std::uint64_t shift : {0U, 64U, 2048U}) {
    auto driver = connect(late());
    driver::FrontEnd& front_end = driver->front_end();
    const std::uint64_t at = base + 8 * kMiB;
    std::memset(ram_.at(Gpa{8 * kMiB}, 64 * kKiB).data(), 0x81, 64 * kKiB);
    static_cast<void>(must(front_end.get_vring_base(0)));
    static_cast<void>(front_end.set_vring_addr(
        {.index = 0, .descriptors = at, .used = at + shift, .available = at}));
    const int kick = driver->queue(Role::kInflate).kick_fd();
    static_cast<void>(front_end.set_vring_kick(0, kick));
    must(driver->deflate(std::vector<Pfn>{Pfn{5000}}));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_TRUE(daemon_.alive());
    expect_healed_by_reset(std::move(driver));
  }
}

/// What a jump of the avail index is to a split ring: all of the ring is available at once, though
/// nobody put anything there. Empty buffers, and they come back.
TEST_F(HostileRing, PackedDescriptorsThatNobodyAdded) {
  if (!packed_run()) GTEST_SKIP() << "of packed rings";
  auto driver = connect(late());
  DriverQueue& queue = driver->queue(Role::kInflate);
  std::byte* const ring = queue.place().descriptors;
  const std::uint16_t available = 1U << 7;
  for (unsigned i = queue.size(); i-- > 0;) {
    std::memcpy(ring + sizeof(Descriptor) * i + 14, &available, sizeof(available));
  }
  EXPECT_TRUE(eventually([this, &queue] {
    return show().at("queues").at(0).at("buffers").get<unsigned>() >= queue.size();
  }));
  expect_ballooned(0);
  expect_healed_by_reset(std::move(driver));
}

}  // namespace
}  // namespace vballoon::model
