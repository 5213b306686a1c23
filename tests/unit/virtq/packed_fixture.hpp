// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/packed_fixture.hpp - a packed ring in guest memory with both of its sides.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "queue_fixture.hpp"
#include "support/packed_ring.hpp"
#include "virtq/packed_queue.hpp"

namespace vballoon::virtq {

class PackedFixture : public RingFixture<test::PackedRing, PackedQueue> {
 public:
  explicit PackedFixture(unsigned size, std::uint16_t begin_at = wire::kPackedBegin)
      : RingFixture(size, begin_at, begin_at == wire::kPackedBegin) {}

  std::vector<Head> pop(std::size_t most) { return pop_heads(most); }
  void give_back(const std::vector<Head>& heads) {
    for (const Head head : heads) queue().stage(head, 0);
  }

  /// Adds a chain of descriptors as they are, and walks it.
  [[nodiscard]] Walked walk_chain(const std::vector<wire::PackedDescriptor>& chain) {
    ring().add(1, chain);
    const auto heads = pop(1);
    EXPECT_EQ(heads.size(), 1U);
    const auto walked = walk(heads.at(0));
    give_back(heads);
    EXPECT_TRUE(queue().publish());
    EXPECT_EQ(ring().collect(), (std::vector<std::uint32_t>{1}));
    return walked;
  }
};

}  // namespace vballoon::virtq
