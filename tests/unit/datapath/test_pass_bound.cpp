// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_pass_bound.cpp - a pass is bounded by descriptors too, not only by
//                                           pages.
// Section 5 of the design, 5: a guest costs another its fair share of a pass. Does not prove how
// long a pass takes: it counts what one pass finished.
#include <gtest/gtest.h>

#include "support/device_fixture.hpp"

namespace vballoon::datapath {
namespace {

// Every buffer is one and the same chain of 32768 descriptors without a byte in them.
TEST(PassBound, ChainsOfEmptyDescriptorsAreSpreadOverPasses) {
  constexpr unsigned kSize = 32768;
  constexpr unsigned kBuffers = 64;
  for (unsigned i = 0; i < wire::kRoles; ++i) {
    const auto role = static_cast<Role>(i);
    DeviceFixture f(kSize);
    f.start(role);
    for (unsigned d = 0; d < kSize; ++d) {
      const bool last = d + 1 == kSize;
      f.ring(role).set_descriptor(d, {0, 0, static_cast<std::uint16_t>(last ? 0 : wire::kDescNext),
                                      static_cast<std::uint16_t>(d + 1)});
    }
    for (unsigned sent = 0; sent < kBuffers; ++sent) f.ring(role).offer(0);
    EXPECT_TRUE(f.path().poll());
    EXPECT_LT(f.ring(role).used_idx(), kBuffers / 2)
        << wire::role_name(role) << ": a pass walked " << f.ring(role).used_idx() << " x " << kSize
        << " descriptors";
    f.poll_until_idle();
    EXPECT_GE(f.ring(role).used_idx(), kBuffers - 1) << "and all come back in the end";
  }
}

}  // namespace
}  // namespace vballoon::datapath
