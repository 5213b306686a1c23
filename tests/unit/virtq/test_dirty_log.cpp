// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/test_dirty_log.cpp - which pages of a ring are marked for a VMM that migrates.
// Source: vhost-user protocol, "Migration"; VIRTIO 1.2, 2.7, 2.8.
#include "virtq/dirty_log.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "packed_fixture.hpp"
#include "queue_fixture.hpp"

namespace vballoon::virtq {
namespace {

class DirtyLogTest : public testing::Test {
 protected:
  [[nodiscard]] DirtyLog log() { return {bits_.data(), bits_.size()}; }
  /// Pages marked since the last call; taken as a VMM takes them.
  std::set<std::uint64_t> take() {
    std::set<std::uint64_t> pages;
    for (std::uint64_t page = 0; page < bits_.size() * 8; ++page) {
      if ((std::to_integer<unsigned>(bits_[page / 8]) >> page % 8 & 1U) != 0) pages.insert(page);
    }
    bits_.fill(std::byte{0});
    return pages;
  }
  using Pages = std::set<std::uint64_t>;

  std::array<std::byte, 1024> bits_{};
};

TEST_F(DirtyLogTest, MarksEveryPageThatWasTouched) {
  log().mark(Gpa{0}, 1);
  EXPECT_EQ(take(), (Pages{0}));
  log().mark(Gpa{kPageSize - 1}, 2);
  EXPECT_EQ(take(), (Pages{0, 1}));
  log().mark(Gpa{7 * kPageSize}, 3 * kPageSize);
  EXPECT_EQ(take(), (Pages{7, 8, 9}));
  log().mark(Gpa{8 * kPageSize}, 1);
  log().mark(Gpa{9 * kPageSize}, 1);
  EXPECT_EQ(take(), (Pages{8, 9})) << "bits of a byte add up";
}

TEST_F(DirtyLogTest, WritesNothingBehindItsEnd) {
  const DirtyLog shorter{bits_.data(), 2};
  shorter.mark(Gpa{15 * kPageSize}, 2 * kPageSize);
  shorter.mark(Gpa{~std::uint64_t{0} - kPageSize}, kPageSize);
  shorter.mark(Gpa{16 * kPageSize}, 1);
  EXPECT_EQ(take(), (Pages{15}));
}

TEST_F(DirtyLogTest, ASplitRingMarksWhatItWritesOfTheUsedRing) {
  constexpr unsigned kSize = 1024;  // a used ring of three pages: 4 bytes, then 8 an element
  QueueFixture f(kSize);
  const std::uint64_t used = f.memory().address_of(f.ring().areas().used).value / kPageSize;
  f.queue().log_writes(log(), f.memory());
  f.queue().disable_kicks();
  EXPECT_EQ(take(), (Pages{used}));
  const auto use = [&](unsigned count) {
    for (unsigned i = 0; i < count; ++i) f.ring().send(0, {kOne});
    for (const Head head : f.pop_heads(count)) f.queue().stage(head, 0);
    static_cast<void>(f.queue().publish());
    return take();
  };
  EXPECT_EQ(use(1), (Pages{used})) << "element and index";
  EXPECT_EQ(use(510), (Pages{used}));
  EXPECT_EQ(use(1), (Pages{used, used + 1})) << "element 511 lies over the border";
  EXPECT_EQ(use(511), (Pages{used, used + 1}));
  EXPECT_EQ(use(1), (Pages{used, used + 1, used + 2}));
  EXPECT_FALSE(f.queue().publish());
  EXPECT_EQ(take(), Pages{}) << "nothing new";
}

TEST_F(DirtyLogTest, APackedRingMarksDescriptorsAndItsEvents) {
  constexpr unsigned kSize = 512;  // two pages
  PackedFixture f(kSize);
  const auto areas = f.ring().areas();
  const std::uint64_t ring = f.memory().address_of(areas.descriptors).value / kPageSize;
  const std::uint64_t events = f.memory().address_of(areas.device_event).value / kPageSize;
  f.queue().log_writes(log(), f.memory());
  EXPECT_EQ(take(), (Pages{ring, ring + 1})) << "what was written before, by another owner";
  f.queue().disable_kicks();
  EXPECT_EQ(take(), (Pages{events}));
  const auto use = [&](unsigned count) {
    for (unsigned i = 0; i < count; ++i) f.ring().send(0, {kOne});
    for (const Head head : f.pop_heads(count)) f.queue().stage(head, 0);
    static_cast<void>(f.queue().publish());
    return take();
  };
  EXPECT_EQ(use(255), (Pages{ring}));
  EXPECT_EQ(use(2), (Pages{ring, ring + 1}));
  EXPECT_EQ(use(255), (Pages{ring + 1}));
  EXPECT_EQ(use(1), (Pages{ring})) << "the next lap";
}

TEST_F(DirtyLogTest, NoLogNoMarks) {
  QueueFixture f(8);
  f.ring().send(0, {kOne});
  for (const Head head : f.pop_heads(1)) f.queue().stage(head, 0);
  static_cast<void>(f.queue().publish());
  EXPECT_EQ(take(), Pages{});
}

}  // namespace
}  // namespace vballoon::virtq
