// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/acknowledgement.hpp - a device whose discards the test carries out, one by
//                                           one.
// The test stands where the reclaim lcore does, so it sees every moment between a batch's way there
// and its way back.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "support/device_fixture.hpp"
#include "support/step_sink.hpp"

namespace vballoon::datapath {

using Heads = std::vector<std::uint32_t>;

inline test::Piece free_pages(std::uint64_t first, std::uint64_t count) {
  return {to_gpa(Pfn{DeviceFixture::page(first)}),
          static_cast<std::uint32_t>(pages_to_bytes(count)), true};
}

/// A device with all queues, whose discards the test carries out.
class Acknowledgement : public testing::Test {
 protected:
  void begin(bool tells, reclaim::ReclaimLimits limits) {
    f_ = std::make_unique<DeviceFixture>(limits);
    if (tells) f_->driver_tells();
    f_->path().set_sink(sink_);
    f_->start_all();
  }
  void early(reclaim::ReclaimLimits limits = kAtOnce) { begin(true, limits); }
  void late(reclaim::ReclaimLimits limits = kAtOnce) { begin(false, limits); }

  void poll(int passes = 5) {
    for (int i = 0; i < passes; ++i) f_->path().poll();
  }
  /// Until nothing is on its way and nothing happens any more.
  void finish() {
    for (int i = 0; i < 10'000; ++i) {
      const bool moved = f_->path().poll();
      if (!moved && sink_.waiting() == 0) return;
      sink_.step_all();
    }
    FAIL() << "it does not come to rest";
  }
  Heads used(Role role) { return f_->ring(role).collect(); }
  void inflate(std::uint16_t head, std::uint64_t first, std::uint64_t count) {
    f_->send_pfns(Role::kInflate, head, pages_from(first, count));
  }
  void deflate(std::uint16_t head, std::uint64_t first, std::uint64_t count) {
    f_->send_pfns(Role::kDeflate, head, pages_from(first, count));
  }
  std::set<std::uint64_t> discarded() { return sink_.discarder.file_pages(); }
  static std::set<std::uint64_t> in_file(std::uint64_t first, std::uint64_t count) {
    return DeviceFixture::file_pages(pages_from(first, count));
  }

  test::StepSink sink_;
  std::unique_ptr<DeviceFixture> f_;
};

}  // namespace vballoon::datapath
