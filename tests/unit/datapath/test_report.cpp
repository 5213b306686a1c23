// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_report.cpp - free pages that the guest reports.
// Source: VIRTIO 1.2, 5.5.6.7.
#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <vector>

#include "support/device_fixture.hpp"
#include "support/step_sink.hpp"

namespace vballoon::datapath {
namespace {

using Heads = std::vector<std::uint32_t>;
using wire::Feature;

/// `count` pages from page(first) on, as a buffer that the device may write.
test::Piece free_pages(std::uint64_t first, std::uint64_t count) {
  return {to_gpa(Pfn{DeviceFixture::page(first)}),
          static_cast<std::uint32_t>(pages_to_bytes(count)), true};
}

TEST(Report, PagesAreDiscardedAndThenReturned) {
  DeviceFixture f;
  f.start(Role::kReport);
  f.discarder().on_call = [&](const test::DiscardCall&) {
    EXPECT_EQ(f.ring(Role::kReport).used_idx(), 0U) << "the driver may use them once they are used";
  };
  f.ring(Role::kReport).send(0, {free_pages(0, 512), free_pages(1024, 512)});
  EXPECT_TRUE(f.path().poll());
  EXPECT_EQ(f.discarder().calls.size(), 2U);
  EXPECT_EQ(f.discarder().file_pages().size(), 1024U);
  f.poll_until_idle();
  EXPECT_EQ(f.ring(Role::kReport).collect(), (Heads{0}));
  EXPECT_EQ(f.counters().reported_pages.get(), 1024U);
  EXPECT_EQ(f.counters().ballooned_pages.get(), 0U) << "reported pages are not in the balloon";
  EXPECT_EQ(f.path().reclaim_counters().reported.bytes.get(), 4 * kMiB);
  EXPECT_EQ(f.path().reclaim_counters().inflated.bytes.get(), 0U);
}

// Linux sends up to 32 blocks in an indirect table.
TEST(Report, ATableOfBlocksIsTakenWhole) {
  DeviceFixture f;
  f.start(Role::kReport);
  std::vector<test::Piece> blocks;
  for (std::uint64_t i = 0; i < 32; ++i) blocks.push_back(free_pages(1024 * (31 - i), 512));
  f.ring(Role::kReport).send_indirect(3, DeviceFixture::buffers(Role::kReport), blocks);
  f.poll_until_idle();
  EXPECT_EQ(f.discarder().file_pages().size(), 32U * 512U);
  EXPECT_EQ(f.ring(Role::kReport).collect(), (Heads{3}));
}

TEST(Report, ALongReportIsSpreadOverPassesAndReturnedOnce) {
  DeviceFixture f;
  f.start_all();
  const std::uint64_t pages = DeviceFixture::kHighBytes / kPageSize;
  f.ring(Role::kReport).send(0, {free_pages(0, pages)});
  f.send_pfns(Role::kDeflate, 0, {DeviceFixture::page(0)});
  unsigned passes = 0;
  std::uint64_t seen = 0;
  while (f.path().poll()) {
    ++passes;
    const std::uint64_t now = f.counters().reported_pages.get();
    ASSERT_LE(now - seen, bytes_to_pages(kReportBytesPerPass));
    seen = now;
    if (passes == 1) {
      EXPECT_EQ(f.ring(Role::kReport).used_idx(), 0U);
      EXPECT_EQ(f.ring(Role::kDeflate).collect(), (Heads{0})) << "the other queue did not wait";
    }
  }
  EXPECT_GE(passes, DeviceFixture::kHighBytes / kReportBytesPerPass);
  EXPECT_EQ(f.discarder().file_pages().size(), pages);
  EXPECT_EQ(f.ring(Role::kReport).collect(), (Heads{0}));
}

TEST(Report, APageThatIsOnlyPartlyReportedIsKept) {
  DeviceFixture f;
  f.start(Role::kReport);
  test::Piece piece = free_pages(1, 3);
  piece.gpa.value -= 1;
  f.ring(Role::kReport).send(0, {piece});
  f.poll_until_idle();
  EXPECT_EQ(f.discarder().file_pages(), DeviceFixture::file_pages(pages_from(1, 2)));
}

TEST(Report, ADescriptorThatTheDeviceMayOnlyReadIsNotDiscarded) {
  DeviceFixture f;
  f.start(Role::kReport);
  test::Piece wrong = free_pages(10, 1);
  wrong.device_writes = false;
  f.ring(Role::kReport).send(0, {wrong, free_pages(20, 1)});
  f.poll_until_idle();
  EXPECT_EQ(f.counters().wrong_direction.get(), 1U);
  EXPECT_EQ(f.discarder().file_pages(), DeviceFixture::file_pages(pages_from(20, 1)));
  EXPECT_EQ(f.ring(Role::kReport).collect(), (Heads{0}));
}

TEST(Report, OutsideMemoryNothingIsDiscardedAndTheChainReturned) {
  DeviceFixture f;
  f.start(Role::kReport);
  const test::Piece outside{Gpa{DeviceFixture::kLowBytes - kPageSize}, 2 * kPageSize, true};
  f.ring(Role::kReport).send(0, {free_pages(0, 1), outside, free_pages(1, 1)});
  f.ring(Role::kReport).send(8, {free_pages(5, 1)});
  f.poll_until_idle();
  EXPECT_EQ(f.counters().bad_chains.get(), 1U);
  EXPECT_EQ(f.discarder().file_pages(),
            DeviceFixture::file_pages({DeviceFixture::page(0), DeviceFixture::page(5)}));
  EXPECT_EQ(f.ring(Role::kReport).collect(), (Heads{0, 8}));
}

// 5.5.6.7.1: with PAGE_POISON and a poison value a reported page must not come back as zeroes.
TEST(Report, APoisoningGuestKeepsItsPages) {
  for (const bool acknowledged : {false, true}) {
    for (const std::uint32_t poison : {0U, 0xaaaaaaaaU}) {
      DeviceFixture f;
      f.path().set_features(acknowledged ? wire::Features{}.with(Feature::kPagePoison)
                                         : wire::Features{});
      ASSERT_TRUE(f.config().write(wire::kPoisonOffset, std::as_bytes(std::span(&poison, 1))));
      f.start(Role::kReport);
      f.ring(Role::kReport).send(0, {free_pages(0, 4)});
      f.poll_until_idle();
      const bool kept = acknowledged && poison != 0;
      EXPECT_EQ(f.discarder().calls.empty(), kept) << acknowledged << " " << poison;
      EXPECT_EQ(f.counters().reports_kept.get(), kept ? 4U : 0U);
      EXPECT_EQ(f.counters().reported_pages.get(), 4U);
      EXPECT_EQ(f.ring(Role::kReport).collect(), (Heads{0})) << "returned in any case";
    }
  }
}

TEST(Report, TogetherWithAnInflateEachHasItsOwnAccount) {
  DeviceFixture f;
  f.start(Role::kInflate);
  f.start(Role::kReport);
  f.send_pfns(Role::kInflate, 0, pages_from(0, 4));
  f.ring(Role::kReport).send(0, {free_pages(4, 4)});
  f.poll_until_idle();
  EXPECT_EQ(f.path().reclaim_counters().inflated.bytes.get(), 4 * kPageSize);
  EXPECT_EQ(f.path().reclaim_counters().reported.bytes.get(), 4 * kPageSize);
  EXPECT_EQ(f.counters().ballooned_pages.get(), 4U);
}

// Whole blocks only: of a huge page whose report is cut in two neither part could be freed.
TEST(Report, OneOfAGibibyteIsTakenInPortionsOfWholeBlocks) {
  const test::GuestRam ram({{Gpa{0}, 2 * kMiB, 0}});
  const std::vector<test::RamPiece> pieces{{Gpa{kGiB}, kGiB + 2 * kMiB, 2 * kMiB}};
  auto specs = ram.specs();
  specs.push_back({pieces[0].first, pieces[0].bytes, ram.at(Gpa{0}), ram.fd(), kMiB * 2});
  datapath::ConfigSpace config;
  DataPath path(config, kAtOnce);
  // More a pass than a portion: nothing of it waits for the next one.
  test::StepSink sink;
  const test::FakeDiscarder& discarder = sink.discarder;
  path.set_memory(gmem::GuestMemory::create(specs).value());
  path.set_sink(sink);
  test::DriverRing ring(ram, Gpa{0}, 8);
  ASSERT_TRUE(path.start(Role::kReport, {.index = 4, .areas = ring.areas()}).has_value());
  ring.send(0, {{Gpa{kGiB + kPageSize}, static_cast<std::uint32_t>(kGiB), true}});
  while (path.poll() || sink.waiting() != 0) sink.step_all();
  EXPECT_EQ(ring.collect(), (Heads{0}));
  EXPECT_EQ(discarder.file_pages().size(), bytes_to_pages(kGiB));
  ASSERT_EQ(discarder.calls.size(), 513U) << "a call a block, and one for the two ends";
  for (std::size_t i = 1; i < discarder.calls.size(); ++i) {
    ASSERT_EQ(discarder.calls[i].offset % (2 * kMiB), 0U) << i;
  }
  EXPECT_EQ(path.counters().reported_pages.get(), bytes_to_pages(kGiB));
}

TEST(Report, NeighboursOfOneReportAreDiscardedTogetherInAnyOrder) {
  DeviceFixture f;
  f.start(Role::kReport);
  f.ring(Role::kReport).send(0, {free_pages(3, 1), free_pages(1, 1), free_pages(0, 1)});
  f.ring(Role::kReport).send(8, {free_pages(4, 2), free_pages(2, 1), free_pages(9, 1)});
  f.poll_until_idle();
  EXPECT_EQ(f.discarder().calls.size(), 2U) << "across the buffers of a pass, too";
  EXPECT_EQ(f.discarder().file_pages().size(), 7U);
  EXPECT_EQ(f.ring(Role::kReport).collect(), (Heads{0, 8}));
}

TEST(Report, SwitchedOffItIsReturnedAsItIs) {
  DeviceFixture f;
  f.start(Role::kReport);
  f.path().report(false);
  f.ring(Role::kReport).send(0, {free_pages(0, 512)});
  f.poll_until_idle();
  EXPECT_TRUE(f.discarder().calls.empty());
  EXPECT_EQ(f.ring(Role::kReport).collect(), (Heads{0}));
  EXPECT_EQ(f.counters().reports_kept.get(), 512U);
  EXPECT_EQ(f.counters().reported_pages.get(), 512U);
  f.path().report(true);
  f.ring(Role::kReport).send(0, {free_pages(0, 512)});
  f.poll_until_idle();
  EXPECT_EQ(f.discarder().file_pages().size(), 512U);
  EXPECT_EQ(f.counters().reports_kept.get(), 512U);
}

}  // namespace
}  // namespace vballoon::datapath
