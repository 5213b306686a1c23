// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/support/reclaim_harness.hpp - one device's reclaimer over a host that only takes
// notes. Time stands still unless a test moves it, so pages wait in the window until flush().
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "reclaim/reclaimer.hpp"
#include "support/fake_discarder.hpp"

namespace vballoon::test {

class ReclaimHarness {
 public:
  explicit ReclaimHarness(std::shared_ptr<const gmem::GuestMemory> memory,
                          reclaim::ReclaimLimits limits = {})
      : reclaimer_(limits) {
    reclaimer_.handover().set_sink(sink_);
    reclaimer_.gather().set_tells_host(true);
    reclaimer_.set_memory(std::move(memory));
  }

  reclaim::Tally inflate(reclaim::PageRun run) { return reclaimer_.inflate(run, now_us); }
  reclaim::Tally inflate(std::uint64_t page) { return inflate(reclaim::PageRun{page, 1}); }
  /// One by one, in this order; each must enter.
  void inflate_all(const std::vector<std::uint64_t>& pages) {
    for (const std::uint64_t page : pages) ASSERT_EQ(inflate(page).changed, 1U) << page;
  }

  reclaim::Tally deflate(reclaim::PageRun run) { return reclaimer_.deflate(run); }
  reclaim::Tally deflate(std::uint64_t page) { return deflate(reclaim::PageRun{page, 1}); }

  /// @pre there is room.
  void report(std::uint64_t first_byte, std::uint64_t bytes) {
    ASSERT_TRUE(reclaimer_.report({Gpa{first_byte}, bytes}));
  }

  /// As many passes as it takes until nothing is left that may go.
  void flush() {
    do {
      reclaimer_.begin_pass();
      reclaimer_.pump(now_us, true);
    } while (!reclaimer_.drained());
    ASSERT_FALSE(reclaimer_.in_flight());
  }
  /// One pass in which nobody waits for anything.
  void pass() {
    reclaimer_.begin_pass();
    reclaimer_.pump(now_us, false);
  }

  [[nodiscard]] reclaim::Reclaimer& reclaimer() { return reclaimer_; }
  [[nodiscard]] const reclaim::ReclaimCounters& counters() const { return reclaimer_.counters(); }
  [[nodiscard]] FakeDiscarder& discarder() { return discarder_; }
  [[nodiscard]] std::vector<DiscardCall>& calls() { return discarder_.calls; }

  std::uint64_t now_us = 1'000'000;

 private:
  FakeDiscarder discarder_;
  reclaim::InlineSink sink_{discarder_};
  reclaim::Reclaimer reclaimer_;
};

}  // namespace vballoon::test
