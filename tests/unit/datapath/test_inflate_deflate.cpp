// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_inflate_deflate.cpp - page numbers go in, holes and used buffers come
//                                                out.
// Source: VIRTIO 1.2, 5.5.6; sections 3 and 4 of the design.
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "support/device_fixture.hpp"

namespace vballoon::datapath {
namespace {

using Heads = std::vector<std::uint32_t>;

TEST(Inflate, ABufferOfNeighboursIsOneDiscardOneUsedElementAndOneCall) {
  DeviceFixture f;
  f.start(Role::kInflate);
  const auto pages = pages_from(512, 256);
  f.send_pfns(Role::kInflate, 3, pages);
  EXPECT_TRUE(f.path().poll());
  EXPECT_EQ(f.discarder().calls.size(), 1U);
  EXPECT_EQ(f.discarder().file_pages(), DeviceFixture::file_pages(pages));
  EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{3}));
  EXPECT_EQ(f.ring(Role::kInflate).used_slot(0).len, 0U) << "2.7.8.2: nothing was written";
  EXPECT_EQ(f.take_calls(Role::kInflate), 1U);
  EXPECT_EQ(f.counters().inflate_pages.get(), 256U);
  EXPECT_EQ(f.counters().ballooned_pages.get(), 256U);
  EXPECT_EQ(f.counters().calls.get(), 1U);
  EXPECT_FALSE(f.path().poll());
}

// Section 4 of the design, "late": what a used element promises has happened before it is seen.
TEST(Inflate, NothingIsUsedBeforeItsPagesAreDiscarded) {
  DeviceFixture f;
  f.start(Role::kInflate);
  unsigned looked = 0;
  f.discarder().on_call = [&](const test::DiscardCall&) {
    EXPECT_EQ(f.ring(Role::kInflate).used_idx(), 0U);
    EXPECT_EQ(f.take_calls(Role::kInflate), 0U);
    ++looked;
  };
  for (std::uint16_t head = 0; head < 3; ++head) {
    f.send_pfns(Role::kInflate, head, pages_from(head * 1024U, 100));
  }
  EXPECT_TRUE(f.path().poll());
  EXPECT_EQ(looked, 3U);
  EXPECT_EQ(f.ring(Role::kInflate).used_idx(), 3U);
}

TEST(Inflate, NothingIsUsedBeforeItsPagesAreDiscardedEvenWhenTheWindowOverflows) {
  DeviceFixture f;
  f.start(Role::kInflate);
  std::set<std::uint64_t> discarded;
  f.discarder().on_call = [&](const test::DiscardCall& call) {
    for (std::uint64_t i = 0; i < call.bytes; i += kPageSize) {
      discarded.insert((call.offset + i) / kPageSize);
    }
  };
  // Fragments: no page is another's neighbour. 16 buffers of 256, more than a window holds.
  for (std::uint16_t head = 0; head < 16; ++head) {
    std::vector<std::uint32_t> pages;
    for (std::uint64_t i = 0; i < 256; ++i)
      pages.push_back(DeviceFixture::page(2 * (head * 256U + i)));
    f.send_pfns(Role::kInflate, head, pages);
  }
  std::size_t back = 0;
  while (f.path().poll()) {
    back += f.ring(Role::kInflate).collect().size();
    ASSERT_GE(discarded.size(), back * 256) << "a buffer came back before its pages were gone";
  }
  EXPECT_EQ(back, 16U);
  EXPECT_EQ(discarded.size(), 16U * 256U);
}

TEST(Inflate, ManyBuffersInOnePassAreOneCall) {
  DeviceFixture f;
  f.start(Role::kInflate);
  for (std::uint16_t head = 0; head < 40; ++head) {
    f.send_pfns(Role::kInflate, head, {DeviceFixture::page(head)});
  }
  EXPECT_TRUE(f.path().poll());
  EXPECT_EQ(f.ring(Role::kInflate).collect().size(), 40U);
  EXPECT_EQ(f.take_calls(Role::kInflate), 1U);
  EXPECT_EQ(f.discarder().calls.size(), 1U) << "neighbours meet across buffers";
}

// 2.6.4: how the buffer is cut into descriptors means nothing, numbers included.
TEST(Inflate, ANumberMayBeginInOneDescriptorAndEndInTheNext) {
  DeviceFixture f;
  f.start(Role::kInflate);
  const auto pages = pages_from(0, 10);
  const test::Piece whole = f.put_pfns(DeviceFixture::buffers(Role::kInflate), pages);
  std::vector<test::Piece> cut;
  std::uint32_t at = 0;
  for (const std::uint32_t bytes : {1U, 6U, 0U, 3U, 13U, 2U, 15U}) {
    cut.push_back({Gpa{whole.gpa.value + at}, bytes});
    at += bytes;
  }
  ASSERT_EQ(at, whole.bytes);
  f.ring(Role::kInflate).send(0, cut);
  f.ring(Role::kInflate)
      .send_indirect(32, Gpa{DeviceFixture::buffers(Role::kInflate).value + kMiB}, cut);
  f.poll_until_idle();
  EXPECT_EQ(f.counters().inflate_pages.get(), 10U);
  EXPECT_EQ(f.counters().already_ballooned.get(), 10U) << "the indirect one says the same";
  EXPECT_EQ(f.counters().odd_bytes.get(), 0U);
  EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{0, 32}));
}

TEST(Inflate, AnOddTailIsCountedAndTheBufferReturned) {
  DeviceFixture f;
  f.start(Role::kInflate);
  test::Piece piece = f.put_pfns(DeviceFixture::buffers(Role::kInflate), pages_from(0, 3));
  piece.bytes -= 1;
  f.ring(Role::kInflate).send(0, {piece});
  f.poll_until_idle();
  EXPECT_EQ(f.counters().inflate_pages.get(), 2U);
  EXPECT_EQ(f.counters().odd_bytes.get(), 3U);
  EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{0}));
  f.send_pfns(Role::kInflate, 1, {DeviceFixture::page(7)});
  f.poll_until_idle();
  EXPECT_EQ(f.discarder().file_pages(),
            DeviceFixture::file_pages(
                {DeviceFixture::page(0), DeviceFixture::page(1), DeviceFixture::page(7)}))
      << "the tail of one buffer is not the head of the next";
}

TEST(Inflate, ARunEndsWhereTheOrderDoesWhereverThatIs) {
  for (std::uint64_t length = 1; length <= 40; ++length) {
    DeviceFixture f;
    f.start(Role::kInflate);
    std::vector<std::uint32_t> pages = pages_from(1000, length);
    const auto down = pages_from(3000, length);
    pages.insert(pages.end(), down.rbegin(), down.rend());
    const auto up = pages_from(5000, 40 - length);
    pages.insert(pages.end(), up.begin(), up.end());
    f.send_pfns(Role::kInflate, 0, pages);
    f.poll_until_idle();
    EXPECT_EQ(f.counters().inflate_pages.get(), pages.size());
    EXPECT_EQ(f.discarder().file_pages(), DeviceFixture::file_pages(pages)) << length;
  }
}

// Numbers have 32 bits: the one behind the last is not the first.
TEST(Inflate, ARunEndsWhereNumbersEnd) {
  DeviceFixture f;
  f.start(Role::kInflate);
  std::vector<std::uint32_t> up;
  for (std::uint32_t i = 0; i < 40; ++i) up.push_back(i - 20);
  const std::vector<std::uint32_t> down(up.rbegin(), up.rend());
  f.send_pfns(Role::kInflate, 0, up);
  f.send_pfns(Role::kInflate, 1, down);
  f.poll_until_idle();
  EXPECT_EQ(f.counters().outside_memory.get(), 40U);
  EXPECT_EQ(f.counters().inflate_pages.get(), 20U);
  EXPECT_EQ(f.counters().already_ballooned.get(), 20U);
}

TEST(Inflate, NumbersThatAreNoMemoryAreCountedAndPassedOver) {
  DeviceFixture f;
  f.start(Role::kInflate);
  const auto hole = static_cast<std::uint32_t>(DeviceFixture::kLowBytes / kPageSize);
  f.send_pfns(Role::kInflate, 0,
              {UINT32_MAX, DeviceFixture::page(1), hole, hole + 5,
               DeviceFixture::page(DeviceFixture::kHighBytes / kPageSize), DeviceFixture::page(2)});
  f.poll_until_idle();
  EXPECT_EQ(f.counters().outside_memory.get(), 4U);
  EXPECT_EQ(f.counters().inflate_pages.get(), 2U);
  EXPECT_EQ(f.discarder().file_pages(), DeviceFixture::file_pages(pages_from(1, 2)));
  EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{0}));
}

// 2.7.4.2: a device does not read what the driver marked as its to write.
TEST(Inflate, AWritableDescriptorIsNotRead) {
  DeviceFixture f;
  f.start(Role::kInflate);
  test::Piece first = f.put_pfns(DeviceFixture::buffers(Role::kInflate), {DeviceFixture::page(1)});
  test::Piece wrong = f.put_pfns(Gpa{first.gpa.value + 64}, {DeviceFixture::page(2)});
  test::Piece last = f.put_pfns(Gpa{first.gpa.value + 128}, {DeviceFixture::page(3)});
  wrong.device_writes = true;
  f.ring(Role::kInflate).send(0, {first, wrong, last});
  f.poll_until_idle();
  EXPECT_EQ(f.counters().wrong_direction.get(), 1U);
  EXPECT_EQ(f.discarder().file_pages(),
            DeviceFixture::file_pages({DeviceFixture::page(1), DeviceFixture::page(3)}));
  EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{0}));
}

TEST(Inflate, ABufferWithoutBytesIsReturned) {
  DeviceFixture f;
  f.start(Role::kInflate);
  f.ring(Role::kInflate).send(0, {{DeviceFixture::buffers(Role::kInflate), 0}});
  f.ring(Role::kInflate).send(1, {{Gpa{UINT64_MAX}, 0}});
  f.poll_until_idle();
  EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{0, 1}));
  EXPECT_EQ(f.counters().inflate_pages.get(), 0U);
  EXPECT_TRUE(f.discarder().calls.empty());
}

TEST(Inflate, ABadChainIsServedUpToItsFaultAndReturned) {
  DeviceFixture f;
  f.start(Role::kInflate);
  auto& ring = f.ring(Role::kInflate);
  const test::Piece good = f.put_pfns(DeviceFixture::buffers(Role::kInflate), pages_from(0, 2));
  ring.set_descriptor(0, {good.gpa.value, good.bytes, wire::kDescNext, 0xffff});
  ring.offer(0);
  f.send_pfns(Role::kInflate, 5, {DeviceFixture::page(9)});
  f.poll_until_idle();
  EXPECT_EQ(f.counters().bad_chains.get(), 1U);
  EXPECT_EQ(f.counters().inflate_pages.get(), 3U);
  EXPECT_EQ(ring.collect(), (Heads{0, 5})) << "a bad chain does not break the queue";
  EXPECT_EQ(f.path().status(Role::kInflate).fault.get(), 0U);
}

TEST(Inflate, ARefusingHostDoesNotHoldUpTheBuffer) {
  DeviceFixture f;
  f.start(Role::kInflate);
  f.discarder().refuse = [](const test::DiscardCall&) { return true; };
  f.send_pfns(Role::kInflate, 0, pages_from(0, 8));
  f.poll_until_idle();
  EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{0}));
  EXPECT_EQ(f.path().reclaim_counters().failed_calls.get(), 1U);
  EXPECT_EQ(f.counters().ballooned_pages.get(), 8U) << "in the balloon all the same";
}

// A buffer of 1 MiB, 262144 numbers, is served over many passes, and holds up nobody.
TEST(Inflate, AHugeBufferIsSpreadOverPassesAndReturnedOnce) {
  DeviceFixture f;
  f.start_all();
  const std::uint64_t pages = DeviceFixture::kHighBytes / kPageSize;
  std::vector<std::uint32_t> pfns;
  for (std::uint64_t n = 0; n < kMiB / 4; ++n) pfns.push_back(DeviceFixture::page(n % pages));
  const Gpa upper_half{DeviceFixture::buffers(Role::kInflate).value + kMiB};
  f.ring(Role::kInflate).send(7, {f.put_pfns(upper_half, pfns)});
  f.send_pfns(Role::kInflate, 9, {DeviceFixture::page(0)});
  f.send_pfns(Role::kDeflate, 1, {DeviceFixture::page(5)});
  std::uint64_t seen = 0;
  unsigned passes = 0;
  while (f.path().poll()) {
    ++passes;
    const std::uint64_t now =
        f.counters().inflate_pages.get() + f.counters().already_ballooned.get();
    ASSERT_LE(now - seen, kPagesPerPass + 256) << "a pass is bounded";
    seen = now;
    if (passes == 1) {
      EXPECT_EQ(f.ring(Role::kDeflate).collect(), (Heads{1})) << "the other queue did not wait";
      EXPECT_EQ(f.ring(Role::kInflate).used_idx(), 0U);
    }
  }
  EXPECT_GE(passes, 200U);
  EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{7, 9})) << "once, and in its turn";
  EXPECT_EQ(seen, pfns.size() + 1);
  EXPECT_EQ(f.counters().ballooned_pages.get(), pages);
}

TEST(Deflate, PagesLeaveTheBalloonAndAreNotDiscarded) {
  DeviceFixture f;
  f.start(Role::kInflate);
  f.start(Role::kDeflate);
  f.send_pfns(Role::kInflate, 0, pages_from(0, 256));
  f.poll_until_idle();
  f.discarder().calls.clear();
  f.send_pfns(Role::kDeflate, 0, pages_from(100, 50));
  f.send_pfns(Role::kDeflate, 1, {DeviceFixture::page(100), DeviceFixture::page(900), UINT32_MAX});
  f.poll_until_idle();
  EXPECT_EQ(f.ring(Role::kDeflate).collect(), (Heads{0, 1}));
  EXPECT_EQ(f.take_calls(Role::kDeflate), 1U);
  EXPECT_EQ(f.counters().deflate_pages.get(), 50U);
  EXPECT_EQ(f.counters().not_ballooned.get(), 2U);
  EXPECT_EQ(f.counters().outside_memory.get(), 1U);
  EXPECT_EQ(f.counters().ballooned_pages.get(), 206U);
  EXPECT_TRUE(f.discarder().calls.empty());
}

TEST(Deflate, ThatComesInThePassOfItsInflateSavesThePage) {
  DeviceFixture f;
  f.start(Role::kInflate);
  f.start(Role::kDeflate);
  f.send_pfns(Role::kInflate, 0, pages_from(0, 4));
  f.send_pfns(Role::kDeflate, 0, {DeviceFixture::page(2)});
  EXPECT_TRUE(f.path().poll());
  EXPECT_EQ(f.discarder().file_pages(),
            DeviceFixture::file_pages(
                {DeviceFixture::page(0), DeviceFixture::page(1), DeviceFixture::page(3)}));
  EXPECT_EQ(f.ring(Role::kInflate).used_idx(), 1U);
  EXPECT_EQ(f.ring(Role::kDeflate).used_idx(), 1U);
  EXPECT_EQ(f.counters().ballooned_pages.get(), 3U);
}

}  // namespace
}  // namespace vballoon::datapath
