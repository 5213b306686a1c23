// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/policy/host/test_pressure_watch.cpp - pressure that this machine's kernel tells of.
// Makes it in cgroups of its own: the machine itself stays at ease.
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/units.hpp"
#include "policy/host/pressure_watch.hpp"
#include "real_cgroup.hpp"
#include "scratch.hpp"
#include "support/other_user.hpp"

namespace vballoon::policy {
namespace {

using std::chrono::milliseconds;
using Options = PressureWatch::Options;

constexpr int kPatienceMs = 20'000;  // ms; on an idle machine it takes a tenth of a second

/// The least that counts, so that a fast disk will do. Root in a container is not privileged, so
/// the window is one that all may have.
Options soon(const std::string& cgroup) {
  return Options{.cgroup = cgroup, .stall = milliseconds(1), .window = milliseconds(2'000)};
}

/// What poll() saw.
short wait_for(const PressureWatch& watch, int patience = kPatienceMs) {
  pollfd one{watch.fd(), watch.events(), 0};
  return ::poll(&one, 1, patience) > 0 ? one.revents : short{0};
}

std::unique_ptr<RealCgroup> narrow_cgroup(const char* name) {
  auto cgroup = std::make_unique<RealCgroup>(kMemoryV1, name, kLimitV1);
  if (cgroup->valid() && !cgroup->write(kLimitV1, "32M")) ADD_FAILURE() << "no limit can be set";
  return cgroup;
}

void need_more() {
  read_file_forever(96 * kMiB);
}

TEST(PressureWatch, Version1TellsOfReclaim) {
  const auto cgroup = narrow_cgroup("watch-v1");
  if (!cgroup->valid()) GTEST_SKIP() << cgroup->skipped();
  if (!has_disk()) GTEST_SKIP() << "/var/tmp is no disk";
  auto watch = PressureWatch::open({.cgroup = cgroup->folder()});
  ASSERT_TRUE(watch) << watch.error().message;
  EXPECT_EQ(watch->kind(), PressureWatch::Kind::kCgroupLevel);
  EXPECT_EQ(watch->describe(), "memory.pressure_level of " + cgroup->folder() + ": low");
  EXPECT_EQ(wait_for(*watch, 100), 0) << "there is none yet";
  EXPECT_EQ(watch->take().events, 0U);
  const Child child({cgroup.get()}, need_more);
  EXPECT_EQ(wait_for(*watch), POLLIN);
  const auto taken = watch->take();
  EXPECT_GT(taken.events, 0U);
  EXPECT_FALSE(taken.gone);
}

TEST(PressureWatch, Version1TellsOfAChildsToo) {
  const auto parent = narrow_cgroup("watch-parent");
  if (!parent->valid()) GTEST_SKIP() << parent->skipped();
  if (!has_disk()) GTEST_SKIP() << "/var/tmp is no disk";
  const RealCgroup child(parent->folder(), "vm", kLimitV1);
  ASSERT_TRUE(child.write(kLimitV1, "24M"));
  auto all = PressureWatch::open({.cgroup = parent->folder(), .reach = PressureReach::kHierarchy});
  auto own = PressureWatch::open({.cgroup = parent->folder(), .reach = PressureReach::kLocal});
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_TRUE(own) << own.error().message;
  const Child process({&child}, need_more);
  EXPECT_EQ(wait_for(*all), POLLIN);
  EXPECT_EQ(wait_for(*own, 100), 0) << "the parent's own limit is not met";
}

TEST(PressureWatch, Version1TellsThatTheCgroupIsGone) {
  const auto cgroup = narrow_cgroup("watch-gone");
  if (!cgroup->valid()) GTEST_SKIP() << cgroup->skipped();
  auto watch = PressureWatch::open({.cgroup = cgroup->folder(), .level = PressureLevel::kCritical});
  ASSERT_TRUE(watch) << watch.error().message;
  EXPECT_FALSE(watch->take().gone);
  ASSERT_TRUE(cgroup->remove());
  EXPECT_EQ(wait_for(*watch, 2'000), POLLIN);
  EXPECT_TRUE(watch->take().gone);
  const auto again = PressureWatch::open({.cgroup = cgroup->folder()});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kNotFound);
}

TEST(PressureWatch, Version2TellsOfItsTasksAndOfItsEnd) {
  RealCgroup tasks(kUnified, "watch-v2", "memory.pressure");
  if (!tasks.valid()) GTEST_SKIP() << tasks.skipped();
  const auto narrow = narrow_cgroup("watch-v2");
  if (!narrow->valid()) GTEST_SKIP() << narrow->skipped();
  if (!has_disk()) GTEST_SKIP() << "/var/tmp is no disk";
  auto watch = PressureWatch::open(soon(tasks.folder()));
  ASSERT_TRUE(watch) << watch.error().message;
  EXPECT_EQ(watch->kind(), PressureWatch::Kind::kCgroupPsi);
  EXPECT_EQ(watch->describe(), "PSI of " + tasks.folder() + ": 1 ms of stall within 2000 ms");
  {
    const Child child({&tasks, narrow.get()}, need_more);
    EXPECT_NE(wait_for(*watch) & POLLPRI, 0);
    const auto taken = watch->take();
    EXPECT_EQ(taken.events, 1U);
    EXPECT_FALSE(taken.gone);
  }
  ASSERT_TRUE(tasks.remove());
  EXPECT_NE(wait_for(*watch, 2'000) & POLLERR, 0);
  EXPECT_TRUE(watch->take().gone);
}

TEST(PressureWatch, ThatNobodyHas) {
  const Scratch host;
  const Options options{.paths = host.paths()};
  const auto watch = PressureWatch::open(options);
  ASSERT_FALSE(watch);
  EXPECT_EQ(watch.error().code, Code::kUnavailable);
  const BestWatch best = open_best(options);
  EXPECT_FALSE(best.watch);
  EXPECT_NE(best.why.find("no watch: "), std::string::npos) << best.why;
  EXPECT_NE(best.why.find("psi=1"), std::string::npos) << best.why;
}

TEST(PressureWatch, AFolderThatIsNoCgroup) {
  const Scratch host;
  host.put("folder/file", "");
  const auto watch = PressureWatch::open({.cgroup = host.at("folder")});
  ASSERT_FALSE(watch);
  EXPECT_EQ(watch.error().code, Code::kInvalidArgument);
  const auto none = PressureWatch::open({.cgroup = host.at("nowhere")});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kNotFound);
}

TEST(PressureWatch, AWindowThatTheKernelDoesNotTake) {
  const Scratch host;
  for (const auto& [stall, window] : {std::pair{1, 499}, {1, 10'001}, {0, 1'000}, {1'001, 1'000}}) {
    const auto watch = PressureWatch::open(
        {.paths = host.paths(), .stall = milliseconds(stall), .window = milliseconds(window)});
    ASSERT_FALSE(watch) << stall << " " << window;
    EXPECT_EQ(watch.error().code, Code::kInvalidArgument);
  }
}

/// In a process of another user: 0 as expected, else a number that tells the line.
int watch_unprivileged(const std::string& cgroup) {
  const auto level = PressureWatch::open({.cgroup = cgroup});
  if (level || level.error().code != Code::kUnavailable) return 1;
  if (level.error().message.find("cgroup.event_control") == std::string::npos) return 2;
  const BestWatch best = open_best({.cgroup = cgroup});
  if (!best.watch || best.watch->kind() != PressureWatch::Kind::kSystemPsi) return 3;
  if (best.why.find("not the cgroup's") == std::string::npos) return 4;
  const auto odd = PressureWatch::open({.window = milliseconds(500)});
  if (odd || odd.error().code != Code::kUnavailable) return 5;
  return odd.error().message.find("multiple of 2 s") == std::string::npos ? 6 : 0;
}

TEST(PressureWatch, OfSomebodyWhoIsNotRoot) {
  const auto cgroup = narrow_cgroup("watch-user");
  if (!cgroup->valid()) GTEST_SKIP() << cgroup->skipped();
  if (!PressureWatch::open({})) GTEST_SKIP() << "no PSI here";
  const int may =
      support::as({}, [] { return ::access("/proc/pressure/memory", W_OK) == 0 ? 0 : 1; });
  if (may != 0) GTEST_SKIP() << "a kernel whose PSI is for root alone";
  EXPECT_EQ(support::as({}, [&] { return watch_unprivileged(cgroup->folder()); }), 0);
}

TEST(PressureWatch, TheBestOfACgroupIsItsOwn) {
  const auto cgroup = narrow_cgroup("watch-best");
  if (!cgroup->valid()) GTEST_SKIP() << cgroup->skipped();
  const BestWatch best = open_best({.cgroup = cgroup->folder()});
  ASSERT_TRUE(best.watch) << best.why;
  EXPECT_EQ(best.watch->kind(), PressureWatch::Kind::kCgroupLevel);
  EXPECT_EQ(best.why, best.watch->describe());
}

}  // namespace
}  // namespace vballoon::policy
