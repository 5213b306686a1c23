// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/test_stale_used_index.cpp - a ring whose used index is not where the front end
// says.
// Source: vhost-user, VHOST_USER_SET_VRING_BASE; section 5 of the design, 5. The index lies in
//         guest memory, so it may be anything: no guest stops the daemon with it.
#include <gtest/gtest.h>

#include "queue_fixture.hpp"

namespace vballoon::virtq {
namespace {

TEST(StaleUsedIndex, AnyValueIsServedAndEveryBufferReturned) {
  for (const unsigned stale : {1U, 3U, 5U, 8U, 100U, 65535U}) {
    QueueFixture f(8);
    f.ring().set_used_idx(static_cast<std::uint16_t>(stale));
    f.queue() = SplitQueue::open(f.ring().areas(), 0, f.memory()).value();
    for (int round = 0; round < 3; ++round) {
      for (std::uint16_t head = 0; head < 8; ++head) f.ring().offer(head);
      const auto heads = f.pop(8);
      ASSERT_EQ(heads.size(), 8U);
      for (const unsigned head : heads) f.queue().stage(Head{static_cast<std::uint16_t>(head)}, 0);
      EXPECT_TRUE(f.queue().publish());
    }
    EXPECT_EQ(f.queue().outstanding(), 0U) << stale;
  }
}

}  // namespace
}  // namespace vballoon::virtq
