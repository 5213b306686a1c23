// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/support/step_sink.hpp - a way for batches on which each waits until the test lets it
// go.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "reclaim/batch.hpp"
#include "reclaim/reclaimer.hpp"
#include "support/fake_discarder.hpp"

namespace vballoon::test {

/// What a reclaim lcore is, with the test in its place. Everything is done oldest first, as the
/// rings do it.
class StepSink final : public reclaim::BatchSink {
 public:
  /// @param batches  that exist.
  explicit StepSink(std::size_t batches = 16) {
    for (std::size_t i = 0; i < batches; ++i) {
      all_.push_back(std::make_unique<reclaim::Batch>());
      free_.push_back(all_.back().get());
    }
  }

  [[nodiscard]] reclaim::Batch* acquire() noexcept override {
    if (free_.empty()) return nullptr;
    reclaim::Batch* batch = free_.back();
    free_.pop_back();
    return batch;
  }
  [[nodiscard]] bool submit(reclaim::Batch* batch) noexcept override {
    if (way_is_full) return false;
    waiting_.push_back(batch);
    return true;
  }
  [[nodiscard]] std::uint64_t bytes_per_pass() const noexcept override { return bytes_a_pass; }

  /// The oldest batch is carried out and goes back to its owner.
  void step() {
    ASSERT_FALSE(waiting_.empty());
    reclaim::Batch* batch = waiting_.front();
    waiting_.pop_front();
    reclaim::carry_out(*batch, discarder);
    batch->owner->complete(*batch);
    free_.push_back(batch);
  }
  void step_all() {
    while (!waiting_.empty()) step();
  }

  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  /// All batches that exist lie here again.
  [[nodiscard]] bool all_back() const { return free_.size() == all_.size(); }

  FakeDiscarder discarder;
  bool way_is_full = false;
  std::uint64_t bytes_a_pass = 64 * kMiB;

 private:
  std::vector<std::unique_ptr<reclaim::Batch>> all_;
  std::vector<reclaim::Batch*> free_;
  std::deque<reclaim::Batch*> waiting_;
};

}  // namespace vballoon::test
