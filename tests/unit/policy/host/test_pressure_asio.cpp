// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/policy/host/test_pressure_asio.cpp - watches in a loop of asio, which waits by epoll
//                                          and by edges: POLLPRI is its wait_error.
#include <gtest/gtest.h>
#include <poll.h>

#include <asio.hpp>
#include <memory>
#include <system_error>

#include "base/units.hpp"
#include "policy/host/pressure_watch.hpp"
#include "real_cgroup.hpp"

namespace vballoon::policy {
namespace {

using asio::posix::stream_descriptor;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kPatience{20};

/// The loop that the daemon would have: every event is taken, and then the next is waited for.
class Loop {
 public:
  explicit Loop(PressureWatch& watch) : watch_(watch), descriptor_(io_, watch.fd()) { wait(); }
  ~Loop() { static_cast<void>(descriptor_.release()); }  // the watch's own
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// @return whether so many events came in time.
  bool run(std::uint64_t wanted, std::chrono::milliseconds patience) {
    wanted_ = events_ + wanted;
    io_.restart();
    io_.run_for(patience);
    return events_ >= wanted_;
  }
  [[nodiscard]] bool gone() const noexcept { return gone_; }

 private:
  void wait() {
    const auto what =
        watch_.events() == POLLPRI ? stream_descriptor::wait_error : stream_descriptor::wait_read;
    descriptor_.async_wait(what, [this](const std::error_code& error) {
      if (error) return;
      const auto taken = watch_.take();
      events_ += taken.events;
      gone_ = taken.gone;
      if (!gone_) wait();
      if (gone_ || events_ >= wanted_) io_.stop();
    });
  }

  PressureWatch& watch_;
  asio::io_context io_;
  stream_descriptor descriptor_;
  std::uint64_t events_ = 0;
  std::uint64_t wanted_ = 0;
  bool gone_ = false;
};

/// Events of the machine's PSI come one a window: twice shows that asio waits again as it should.
TEST(PressureAsio, WaitsForPsiOfTheMachine) {
  const RealCgroup cgroup(kMemoryV1, "asio-psi", kLimitV1);
  if (!cgroup.valid()) GTEST_SKIP() << cgroup.skipped();
  if (!has_disk()) GTEST_SKIP() << "/var/tmp is no disk";
  ASSERT_TRUE(cgroup.write(kLimitV1, "32M"));
  auto watch = PressureWatch::open({.stall = milliseconds(1), .window = milliseconds(2'000)});
  if (!watch) GTEST_SKIP() << watch.error().message;
  EXPECT_EQ(watch->kind(), PressureWatch::Kind::kSystemPsi);
  EXPECT_EQ(watch->describe(), "PSI of the machine: 1 ms of stall within 2000 ms");
  Loop loop(*watch);
  const Child child({&cgroup}, [] { read_file_forever(96 * kMiB); });
  EXPECT_TRUE(loop.run(2, kPatience));
  EXPECT_FALSE(loop.gone());
}

TEST(PressureAsio, DoesNotSpinWithoutPressure) {
  auto watch = PressureWatch::open({.stall = milliseconds(2'000), .window = milliseconds(2'000)});
  if (!watch) GTEST_SKIP() << watch.error().message;
  Loop loop(*watch);
  EXPECT_FALSE(loop.run(2, milliseconds(300)));
}

TEST(PressureAsio, WaitsForACgroupOfVersion1) {
  RealCgroup cgroup(kMemoryV1, "asio-v1", kLimitV1);
  if (!cgroup.valid()) GTEST_SKIP() << cgroup.skipped();
  if (!has_disk()) GTEST_SKIP() << "/var/tmp is no disk";
  ASSERT_TRUE(cgroup.write(kLimitV1, "32M"));
  auto watch = PressureWatch::open({.cgroup = cgroup.folder()});
  ASSERT_TRUE(watch) << watch.error().message;
  Loop loop(*watch);
  {
    const Child child({&cgroup}, [] { read_file_forever(96 * kMiB); });
    EXPECT_TRUE(loop.run(3, kPatience));
  }
  ASSERT_TRUE(cgroup.remove());
  loop.run(UINT32_MAX, kPatience);
  EXPECT_TRUE(loop.gone());
}

TEST(PressureAsio, LearnsThatACgroupOfVersion2IsGone) {
  RealCgroup cgroup(kUnified, "asio-v2", "memory.pressure");
  if (!cgroup.valid()) GTEST_SKIP() << cgroup.skipped();
  auto watch = PressureWatch::open({.cgroup = cgroup.folder()});
  ASSERT_TRUE(watch) << watch.error().message;
  Loop loop(*watch);
  ASSERT_TRUE(cgroup.remove());
  loop.run(1, std::chrono::seconds(5));
  EXPECT_TRUE(loop.gone());
}

}  // namespace
}  // namespace vballoon::policy
