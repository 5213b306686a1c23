// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_uncovered.cpp - huge pages that the pool could not give back stay.
// The map is backed by a hugetlbfs file, of which no page exists.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "fake_pool.hpp"
#include "huge_fixture.hpp"
#include "support/guest_ram.hpp"
#include "support/reclaim_harness.hpp"

namespace vballoon::reclaim {
namespace {

/// Four host pages, and a pool that has promised a page more than it has.
class Uncovered : public HugeTest {
 protected:
  void SetUp() override {
    HugeTest::SetUp();
    if (IsSkipped()) return;
    const ReclaimLimits limits{.reserve = &reserve_};
    h_ = std::make_unique<test::ReclaimHarness>(map(4), limits);
    h_->discarder().on_call = [this](const test::DiscardCall& call) {
      host_.freed(call.fd, huge_, call.bytes / huge_);
    };
    pool().reserved = 1;
  }
  PoolState& pool() { return host_.state[huge_]; }

  FakeHost host_;
  HugeReserve reserve_{host_.pools()};
  std::unique_ptr<test::ReclaimHarness> h_;
};

TEST_F(Uncovered, PagesAreServedAndKeptAndAreNoFailure) {
  EXPECT_EQ(h_->inflate({0, 2 * full_}).changed, 2 * full_);
  h_->flush();
  EXPECT_TRUE(h_->calls().empty());
  EXPECT_EQ(h_->reclaimer().gather().ballooned_pages(), 2 * full_);
  EXPECT_EQ(h_->reclaimer().gather().reclaimed_pages(), 0U);
  EXPECT_EQ(h_->counters().kept_pages.get(), 2 * full_);
  EXPECT_EQ(h_->counters().uncovered_bytes.get(), 2 * huge_);
  EXPECT_EQ(h_->counters().retained_bytes.get(), 2 * huge_);
  EXPECT_EQ(h_->counters().failed_calls.get(), 0U);
  EXPECT_EQ(h_->counters().inflated.calls.get(), 0U);
  EXPECT_EQ(h_->deflate({0, 2 * full_}).changed, 2 * full_);
  EXPECT_EQ(h_->counters().kept_pages.get(), 2 * full_) << "a figure of the last pass";
  h_->pass();
  EXPECT_EQ(h_->counters().kept_pages.get(), 0U);
}

TEST_F(Uncovered, OnceThePoolHasEnoughPagesThatComeAnewGo) {
  h_->inflate({0, full_});
  h_->flush();
  pool().reserved = 0;
  h_->inflate({full_, full_});
  h_->flush();
  EXPECT_EQ(h_->reclaimer().gather().reclaimed_pages(), full_)
      << "the first one is not tried again";
  h_->deflate({0, full_});
  h_->inflate({0, full_});
  h_->flush();
  EXPECT_EQ(h_->reclaimer().gather().reclaimed_pages(), 2 * full_);
  EXPECT_EQ(h_->counters().kept_pages.get(), 0U);
  EXPECT_EQ(h_->counters().uncovered_bytes.get(), huge_);
}

TEST_F(Uncovered, OthersEmptyThePoolMeanwhile) {
  pool().reserved = 0;
  h_->inflate({0, full_});
  h_->flush();
  ASSERT_EQ(pool().free, 1U);
  pool().free = 0;
  h_->inflate({full_, full_});
  h_->flush();
  EXPECT_EQ(h_->calls().size(), 1U);
  EXPECT_EQ(h_->counters().uncovered_bytes.get(), huge_);
}

TEST_F(Uncovered, WhatTheKernelRefusedIsAFailureAndNotOwed) {
  pool().reserved = 0;
  h_->discarder().on_call = nullptr;
  h_->discarder().refuse = [](const test::DiscardCall&) { return true; };
  h_->inflate({0, full_});
  h_->flush();
  EXPECT_EQ(h_->counters().failed_calls.get(), 1U);
  EXPECT_EQ(h_->counters().uncovered_bytes.get(), 0U);
  h_->discarder().refuse = nullptr;
  h_->inflate({full_, full_});
  h_->flush();
  EXPECT_EQ(h_->counters().uncovered_bytes.get(), 0U) << "nothing is owed, so nothing lacks";
}

TEST_F(Uncovered, ReportsStayToo) {
  h_->report(0, huge_);
  h_->flush();
  EXPECT_TRUE(h_->calls().empty());
  EXPECT_EQ(h_->counters().retained_bytes.get(), huge_);
  EXPECT_EQ(h_->counters().reported.calls.get(), 0U);
  EXPECT_EQ(h_->counters().kept_pages.get(), 0U) << "they are not in the balloon";
}

TEST_F(Uncovered, PagesArePutThereAgainAllTheSame) {
  pool().reserved = 0;
  h_->inflate({0, full_});
  h_->flush();
  pool().reserved = 1;
  h_->reclaimer().prefaults().ask(true);
  h_->pass();
  h_->deflate({0, full_});
  while (h_->reclaimer().in_flight()) h_->pass();
  EXPECT_EQ(h_->discarder().provided.size(), 1U);
  EXPECT_EQ(h_->counters().prefaulted.calls.get(), 1U);
  EXPECT_EQ(h_->counters().uncovered_bytes.get(), 0U);
}

TEST_F(Uncovered, AChangeOfMemoryKeepsTheAccountAndItsEndForgetsIt) {
  pool().reserved = 0;
  h_->inflate({0, full_});
  h_->flush();
  pool().free = 0;
  const test::PhantomMap larger(fd_.get(), std::vector<test::RamPiece>{{Gpa{0}, 6 * huge_, 0}});
  h_->reclaimer().set_memory(larger.map());
  h_->inflate({full_, full_});
  h_->flush();
  EXPECT_EQ(h_->counters().uncovered_bytes.get(), huge_);
  h_->reclaimer().release();
  h_->reclaimer().set_memory(larger.map());
  h_->inflate({2 * full_, full_});
  h_->flush();
  EXPECT_EQ(h_->counters().uncovered_bytes.get(), huge_);
}

TEST(UncoveredSmall, MemoryOfSmallPagesHasNoPool) {
  FakeHost host;
  HugeReserve reserve(host.pools());
  const test::GuestRam ram({{Gpa{0}, 4 * kMiB, 0}});
  test::ReclaimHarness h(ram.map(), ReclaimLimits{.reserve = &reserve});
  h.inflate({0, 1024});
  h.flush();
  EXPECT_EQ(h.counters().inflated.bytes.get(), 4 * kMiB);
  EXPECT_TRUE(host.opened.empty());
}

}  // namespace
}  // namespace vballoon::reclaim
