// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_batch.cpp - batches are filled, handed over, and come back; fences
// between. The test stands where the reclaim lcore does.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "support/guest_ram.hpp"
#include "support/step_sink.hpp"

namespace vballoon::reclaim {
namespace {

constexpr std::uint64_t kHuge = 2 * kMiB;

TEST(Batch, EveryPieceIsCarriedOutWhateverBecameOfTheOthers) {
  test::FakeDiscarder discarder;
  discarder.refuse = [](const test::DiscardCall& call) { return call.offset == 4096; };
  Batch batch;
  batch.begin(nullptr, 17, Account::kReported);
  for (std::uint64_t i = 0; i < 3; ++i) batch.add({i * 4096, 4096 * (i + 1)});
  EXPECT_EQ(batch.bytes, 6U * 4096U);
  carry_out(batch, discarder);
  ASSERT_EQ(discarder.calls.size(), 3U);
  EXPECT_EQ(discarder.calls[2].fd, 17);
  EXPECT_EQ(discarder.calls[2].bytes, 3U * 4096U);
  EXPECT_EQ(batch.failed, 1U);
  EXPECT_EQ(batch.done_bytes, 4U * 4096U);
  batch.begin(nullptr, 18, Account::kInflated);
  EXPECT_EQ(batch.count + batch.failed + batch.bytes + batch.done_bytes, 0U) << "used again";
}

/// Its VMM holds each hole up, and the event thread waits until it has left its lcore.
TEST(Batch, OfASlowVmThatIsToLeaveNoFurtherPieceIsTried) {
  const test::GuestRam ram({{Gpa{0}, kMiB, 0}});
  test::StepSink sink;
  Reclaimer reclaimer{ReclaimLimits{}};
  reclaimer.handover().set_sink(sink);
  reclaimer.gather().set_tells_host(true);
  reclaimer.set_memory(ram.map());
  Conduct& conduct = *reclaimer.handover().conduct();
  sink.discarder.on_call = [&](const test::DiscardCall&) { conduct.leaving = true; };
  for (const bool slow : {false, true}) {
    conduct.leaving = false;
    if (slow) conduct.stands_still(now_ms());
    for (std::uint64_t page = 0; page < 20; page += 2) reclaimer.inflate({page, 1}, 0);
    reclaimer.pump(0, true);
    sink.discarder.calls.clear();
    sink.step_all();
    EXPECT_EQ(sink.discarder.calls.size(), slow ? 1U : 10U) << "leaving alone is no hurry";
  }
  const ReclaimCounters& counters = reclaimer.counters();
  EXPECT_EQ(counters.inflated.calls.get(), 11U);
  EXPECT_EQ(counters.inflated.bytes.get(), pages_to_bytes(11));
  EXPECT_EQ(counters.retained_bytes.get(), pages_to_bytes(9));
  EXPECT_EQ(counters.failed_calls.get(), 0U);
  EXPECT_EQ(reclaimer.gather().reclaimed_pages(), 1U) << "what was not tried is not the host's";
  EXPECT_FALSE(reclaimer.in_flight());
}

TEST(Batch, IsFullByPiecesOrByBytes) {
  Batch batch;
  batch.begin(nullptr, 0, Account::kInflated);
  for (std::size_t i = 0; i < Batch::kPieces; ++i) {
    EXPECT_FALSE(batch.full()) << i;
    batch.add({0, kPageSize});
  }
  EXPECT_TRUE(batch.full());
  batch.begin(nullptr, 0, Account::kInflated);
  batch.add({0, Batch::kBytes - kPageSize});
  EXPECT_FALSE(batch.full());
  batch.add({0, kPageSize});
  EXPECT_TRUE(batch.full());
}

TEST(Batch, APieceThatLiesBesideTheLastOneMakesItLonger) {
  test::FakeDiscarder discarder;
  discarder.sparse = true;
  Batch batch;
  batch.begin(nullptr, 17, Account::kInflated);
  const std::uint64_t pages[] = {5, 6, 4, 9, 5, 2, 1};
  const bool beside[] = {false, true, true, false, false, false, true};
  for (std::size_t i = 0; i < std::size(pages); ++i) {
    const Piece piece{pages[i] * kHuge, kHuge};
    ASSERT_EQ(batch.join(piece), beside[i]) << i;
    if (!beside[i]) batch.add(piece);
  }
  EXPECT_EQ(batch.bytes, std::size(pages) * kHuge);
  carry_out(batch, discarder);
  ASSERT_EQ(discarder.calls.size(), 4U);
  EXPECT_EQ(discarder.calls[0].offset, 4 * kHuge);
  EXPECT_EQ(discarder.calls[0].bytes, 3 * kHuge);
  EXPECT_EQ(discarder.calls[1].offset, 9 * kHuge);
  EXPECT_EQ(discarder.calls[1].bytes, kHuge);
  EXPECT_EQ(discarder.calls[3].offset, 1 * kHuge);
  EXPECT_EQ(discarder.calls[3].bytes, 2 * kHuge);
  EXPECT_EQ(batch.done_bytes, std::size(pages) * kHuge);
}

TEST(InlineSink, HasOneBatchAndDiscardsAtOnce) {
  const test::GuestRam ram({{Gpa{0}, kMiB, 0}});
  test::FakeDiscarder discarder;
  InlineSink sink(discarder);
  Reclaimer reclaimer{ReclaimLimits{}};
  reclaimer.handover().set_sink(sink);
  reclaimer.set_memory(ram.map());
  Batch* batch = sink.acquire();
  ASSERT_NE(batch, nullptr);
  EXPECT_EQ(sink.acquire(), nullptr) << "until it is submitted";
  batch->begin(&reclaimer.handover(), ram.fd(), Account::kInflated);
  batch->add({0, kPageSize});
  EXPECT_TRUE(sink.submit(batch));
  EXPECT_EQ(discarder.calls.size(), 1U);
  EXPECT_EQ(reclaimer.counters().inflated.bytes.get(), kPageSize);
  EXPECT_EQ(sink.acquire(), batch);
}

/// A reclaimer whose batches wait until the test lets them go. 4096 pages from 0 on.
class Handover : public testing::Test {
 protected:
  static constexpr std::uint64_t kPages = 4096;

  Handover() {
    reclaimer_.handover().set_sink(sink_);
    reclaimer_.gather().set_tells_host(true);
    reclaimer_.set_memory(ram_.map());
  }
  /// Every second page of the range: as many pieces as pages.
  void inflate_fragments(std::uint64_t first, std::uint64_t pieces) {
    for (std::uint64_t i = 0; i < pieces; ++i) reclaimer_.inflate({first + 2 * i, 1}, 0);
  }
  void pump() { reclaimer_.pump(0, true); }
  [[nodiscard]] const ReclaimCounters& counters() const { return reclaimer_.counters(); }

  test::GuestRam ram_{{{Gpa{0}, kPages* kPageSize, 0}}};
  test::StepSink sink_;
  Reclaimer reclaimer_{ReclaimLimits{}};
};

TEST_F(Handover, AFenceIsPassedWithTheLastBatchBeforeItAndNotBefore) {
  const Fence nothing = reclaimer_.handover().handed_over();
  EXPECT_TRUE(reclaimer_.handover().passed(nothing));
  inflate_fragments(0, 2 * Batch::kPieces);
  pump();
  const Fence first = reclaimer_.handover().handed_over();
  inflate_fragments(1000, 10);
  EXPECT_EQ(reclaimer_.handover().handed_over(), first) << "gathered is not handed over";
  pump();
  const Fence second = reclaimer_.handover().handed_over();
  ASSERT_EQ(sink_.waiting(), 3U);
  EXPECT_EQ(counters().in_flight.get(), 3U);
  EXPECT_TRUE(reclaimer_.handover().passed(nothing));
  EXPECT_FALSE(reclaimer_.handover().passed(first));
  sink_.step();
  EXPECT_FALSE(reclaimer_.handover().passed(first));
  sink_.step();
  EXPECT_TRUE(reclaimer_.handover().passed(first));
  EXPECT_FALSE(reclaimer_.handover().passed(second));
  EXPECT_TRUE(reclaimer_.in_flight());
  sink_.step();
  EXPECT_TRUE(reclaimer_.handover().passed(second));
  EXPECT_FALSE(reclaimer_.in_flight());
  EXPECT_FALSE(reclaimer_.busy());
  EXPECT_EQ(counters().in_flight.get(), 0U);
  EXPECT_TRUE(sink_.all_back());
}

TEST_F(Handover, NoGuestTakesAllBatches) {
  inflate_fragments(0, kPages / 2);
  pump();
  pump();
  EXPECT_EQ(sink_.waiting(), 4U);
  EXPECT_GT(counters().sink_full.get(), 0U);
  EXPECT_FALSE(reclaimer_.drained());
  EXPECT_TRUE(reclaimer_.busy());
  std::size_t passes = 0;
  for (; reclaimer_.busy(); ++passes) {
    ASSERT_LT(passes, kPages) << "it must come to an end";
    sink_.step();
    pump();
    ASSERT_LE(sink_.waiting(), 4U);
  }
  EXPECT_EQ(sink_.discarder.calls.size(), kPages / 2);
  EXPECT_EQ(sink_.discarder.file_pages().size(), kPages / 2) << "none lost, none twice";
  EXPECT_TRUE(sink_.all_back());
}

TEST_F(Handover, WithoutAFreeBatchPagesWait) {
  std::vector<Batch*> taken;
  while (Batch* batch = sink_.acquire()) taken.push_back(batch);
  inflate_fragments(0, 10);
  pump();
  EXPECT_EQ(counters().sink_full.get(), 1U);
  EXPECT_EQ(sink_.waiting(), 0U);
  EXPECT_FALSE(reclaimer_.in_flight());
  EXPECT_TRUE(reclaimer_.busy());
  EXPECT_EQ(counters().gathered_pages.get(), 10U);
}

// A batch that could not be handed over is on its way all the same: its pages left the window.
TEST_F(Handover, AFullWayHoldsTheFenceAndLosesNothing) {
  sink_.way_is_full = true;
  inflate_fragments(0, 10);
  pump();
  const Fence fence = reclaimer_.handover().handed_over();
  EXPECT_EQ(sink_.waiting(), 0U);
  EXPECT_GT(counters().sink_full.get(), 0U);
  EXPECT_TRUE(reclaimer_.in_flight());
  EXPECT_FALSE(reclaimer_.handover().passed(fence));
  reclaimer_.deflate({0, 1});
  inflate_fragments(1000, 200);
  pump();
  EXPECT_FALSE(reclaimer_.handover().passed(fence));
  sink_.way_is_full = false;
  while (reclaimer_.busy()) {
    pump();
    sink_.step_all();
  }
  EXPECT_TRUE(reclaimer_.handover().passed(fence));
  std::set<std::uint64_t> wanted;
  for (std::uint64_t i = 0; i < 10; ++i)
    wanted.insert(2 * i);  // the deflate came too late, and waits
  for (std::uint64_t i = 0; i < 200; ++i) wanted.insert(1000 + 2 * i);
  EXPECT_EQ(sink_.discarder.file_pages(), wanted);
  EXPECT_EQ(sink_.discarder.calls.size(), wanted.size());
}

TEST_F(Handover, APassHandsOverItsShareAndNoMore) {
  sink_.bytes_a_pass = 4 * kBlockBytes;
  reclaimer_.inflate({0, kPages}, 0);
  pump();
  sink_.step_all();
  EXPECT_EQ(counters().inflated.bytes.get(), 4 * kBlockBytes);
  pump();
  sink_.step_all();
  EXPECT_EQ(counters().inflated.bytes.get(), pages_to_bytes(kPages));
  EXPECT_TRUE(reclaimer_.drained());
}

TEST_F(Handover, ReportsAndInflatedPagesNeverShareABatch) {
  reclaimer_.inflate({0, 4}, 0);
  ASSERT_TRUE(reclaimer_.report({Gpa{kMiB}, 2 * kPageSize}));
  pump();
  EXPECT_EQ(sink_.waiting(), 2U);
  sink_.step_all();
  EXPECT_EQ(counters().inflated.bytes.get(), 4 * kPageSize);
  EXPECT_EQ(counters().reported.bytes.get(), 2 * kPageSize);
}

}  // namespace
}  // namespace vballoon::reclaim
