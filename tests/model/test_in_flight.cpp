// SPDX-License-Identifier: BSD-3-Clause
//
// Buffers under way while rings stop, memory changes or features are told again: none is lost,
// none comes back twice (design, section 5, 2).
#include <functional>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

class InFlight : public DaemonTest {
 protected:
  static constexpr unsigned kBuffers = 100;
  static constexpr unsigned kPagesEach = 16;

  void SetUp() override {
    DriverOptions options;
    options.queue_size = 128;
    driver_ = connect(options);
    pages_ = fill(*driver_);
  }

  /// Makes many inflate buffers available with one store and returns at once.
  void post() {
    auto& queue = driver_->queue(Role::kInflate);
    const Gpa lists{16 * kMiB};  // in memory that is not ballooned here
    for (unsigned i = 0; i < kBuffers; ++i) {
      const std::uint32_t bytes = kPagesEach * sizeof(Pfn);
      const Gpa list{lists.value + i * bytes};
      std::memcpy(ram_.at(list, bytes).data(), &pages_[i * kPagesEach], bytes);
      const std::vector<driver::Segment> segment{{list, bytes, false}};
      ASSERT_TRUE(queue.add(segment, i));
    }
    queue.publish();
  }

  void collect() {
    for (unsigned i = 0; i < kBuffers; ++i) must(driver_->await(driver_->queue(Role::kInflate)));
    EXPECT_EQ(driver_->queue(Role::kInflate).outstanding(), 0U);
  }

  void put_back() {
    must(driver_->deflate(std::span(pages_).first(kBuffers * kPagesEach)));
    driver::fill_canaries(ram_, std::span(pages_).first(kBuffers * kPagesEach), 1);
  }

  void repeat(const std::function<void()>& disturb) {
    for (int round = 0; round < 20; ++round) {
      post();
      disturb();
      collect();
      expect_ballooned(kBuffers * kPagesEach);
      put_back();
    }
    EXPECT_EQ(counter("not_ballooned"), 0U);
    expect_no_violations(*driver_);
    expect_untouched(std::span(pages_).first(15 * kMiB / kPageSize - 256));
  }

  std::unique_ptr<BalloonDriver> driver_;
  std::vector<Pfn> pages_;
};

TEST_F(InFlight, ThroughAPause) {
  repeat([this] {
    must(driver_->pause());
    must(driver_->resume());
  });
}

TEST_F(InFlight, ThroughAMemoryTable) {
  repeat([this] { must(driver_->update_memory()); });
}

TEST_F(InFlight, ThroughNewCallDescriptors) {
  repeat([this] {
    const unsigned number = driver_->queue_number(Role::kInflate).value();
    must(driver_->front_end().set_vring_call(number, driver_->queue(Role::kInflate).call_fd()));
  });
}

TEST_F(InFlight, ThroughARingDisabledAndEnabled) {
  repeat([this] {
    const unsigned number = driver_->queue_number(Role::kInflate).value();
    must(driver_->front_end().set_vring_enable(number, false));
    must(driver_->front_end().set_vring_enable(number, true));
  });
}

TEST_F(InFlight, ThroughConfigurationTraffic) {
  repeat([this] {
    for (unsigned i = 0; i < 20; ++i) {
      must(driver_->write_actual(i));
      static_cast<void>(must(driver_->num_pages()));
    }
  });
}

TEST_F(InFlight, AVmmThatVanishesTakesNobodyAlong) {
  for (int round = 0; round < 10; ++round) {
    post();
    driver_.reset();
    driver_ = connect();
    pages_ = fill(*driver_);
    expect_ballooned(0);
  }
  expect_untouched(std::span(pages_).first(1000));
}

}  // namespace
}  // namespace vballoon::model
