// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_held_buffers.cpp - buffers wait for their fences, in the order they
//                                             came.
// The fences are a reclaimer's, whose batches the test lets go.
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <random>
#include <vector>

#include "datapath/held_buffers.hpp"
#include "support/guest_ram.hpp"
#include "support/step_sink.hpp"

namespace vballoon::datapath {
namespace {

class HeldBuffersTest : public testing::Test {
 protected:
  HeldBuffersTest() {
    reclaimer_.handover().set_sink(sink_);
    reclaimer_.set_memory(ram_.map());
  }
  /// One more batch on its way.
  void hand_over() {
    reclaimer_.inflate({next_page_++ % 256, 1}, 0);
    reclaimer_.pump(0, true);
  }
  std::optional<unsigned> release() {
    const auto head = held_.release(reclaimer_.handover());
    if (!head) return std::nullopt;
    return head->id;
  }
  static virtq::Head head(unsigned id) { return virtq::Head{static_cast<std::uint16_t>(id)}; }

  test::GuestRam ram_{{{Gpa{0}, kMiB, 0}}};
  test::StepSink sink_;
  reclaim::Reclaimer reclaimer_{reclaim::ReclaimLimits{}};
  HeldBuffers held_{8};
  std::uint64_t next_page_ = 0;
};

TEST_F(HeldBuffersTest, IsEmptyAtFirst) {
  EXPECT_TRUE(held_.empty());
  EXPECT_FALSE(held_.unsealed());
  EXPECT_EQ(release(), std::nullopt);
}

TEST_F(HeldBuffersTest, ABufferIsReleasedOnceItsFenceIsPassed) {
  hand_over();
  held_.hold(head(5), reclaimer_.handover().handed_over());
  EXPECT_EQ(release(), std::nullopt);
  sink_.step();
  EXPECT_EQ(release(), 5U);
  EXPECT_TRUE(held_.empty());
  EXPECT_EQ(release(), std::nullopt) << "once";
}

TEST_F(HeldBuffersTest, AnUnsealedBufferWaitsThoughNothingIsOnItsWay) {
  held_.hold_for_gathered(head(1));
  EXPECT_TRUE(held_.unsealed());
  EXPECT_EQ(release(), std::nullopt);
  hand_over();
  held_.seal(reclaimer_.handover().handed_over());
  EXPECT_FALSE(held_.unsealed());
  EXPECT_EQ(release(), std::nullopt);
  sink_.step();
  EXPECT_EQ(release(), 1U);
}

// The used ring is in the order of the available one, whatever each waited for.
TEST_F(HeldBuffersTest, NoBufferOvertakesAnother) {
  const reclaim::Fence at_once = reclaimer_.handover().handed_over();
  held_.hold_for_gathered(head(1));
  held_.hold(head(2), at_once);
  EXPECT_TRUE(reclaimer_.handover().passed(at_once));
  EXPECT_EQ(release(), std::nullopt) << "behind one that is not sealed";
  hand_over();
  held_.seal(reclaimer_.handover().handed_over());
  EXPECT_EQ(release(), std::nullopt);
  sink_.step();
  EXPECT_EQ(release(), 1U);
  EXPECT_EQ(release(), 2U);
}

TEST_F(HeldBuffersTest, SealingLeavesFencesThatAreKnownAlone) {
  hand_over();
  held_.hold(head(1), reclaimer_.handover().handed_over());
  held_.hold_for_gathered(head(2));
  hand_over();
  held_.seal(reclaimer_.handover().handed_over());
  sink_.step();
  EXPECT_EQ(release(), 1U);
  EXPECT_EQ(release(), std::nullopt);
  sink_.step();
  EXPECT_EQ(release(), 2U);
}

TEST_F(HeldBuffersTest, AllOfARingMayBeHeld) {
  for (unsigned round = 0; round < 3; ++round) {
    for (unsigned id = 0; id < 8; ++id) held_.hold_for_gathered(head(id));
    held_.seal(reclaimer_.handover().handed_over());
    for (unsigned id = 0; id < 8; ++id) ASSERT_EQ(release(), id) << round;
    EXPECT_TRUE(held_.empty());
  }
}

TEST_F(HeldBuffersTest, RandomStepsFollowAModel) {
  struct Model {
    unsigned id;
    std::optional<std::uint64_t> fence;  // batches that must be done
  };
  std::deque<Model> model;
  std::uint64_t handed_over = 0;
  std::uint64_t done = 0;
  std::mt19937 random(81);
  for (unsigned step = 0; step < 50'000; ++step) {
    switch (random() % 6) {
      case 0:
        if (model.size() == 8) break;
        held_.hold(head(step % 1000), reclaimer_.handover().handed_over());
        model.push_back({step % 1000, handed_over});
        break;
      case 1:
        if (model.size() == 8) break;
        held_.hold_for_gathered(head(step % 1000));
        model.push_back({step % 1000, std::nullopt});
        break;
      case 2:
        held_.seal(reclaimer_.handover().handed_over());
        for (Model& entry : model) {
          if (!entry.fence) entry.fence = handed_over;
        }
        break;
      case 3:
        if (sink_.waiting() == 4) break;
        hand_over();
        ++handed_over;
        break;
      case 4:
        if (sink_.waiting() == 0) break;
        sink_.step();
        ++done;
        break;
      default: {
        const bool ready = !model.empty() && model.front().fence && *model.front().fence <= done;
        const auto released = release();
        ASSERT_EQ(released.has_value(), ready) << step;
        if (!ready) break;
        ASSERT_EQ(*released, model.front().id);
        model.pop_front();
      }
    }
    ASSERT_EQ(held_.empty(), model.empty());
    bool unsealed = false;
    for (const Model& entry : model) unsealed |= !entry.fence;
    ASSERT_EQ(held_.unsealed(), unsealed);
  }
}

}  // namespace
}  // namespace vballoon::datapath
