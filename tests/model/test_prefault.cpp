// SPDX-License-Identifier: BSD-3-Clause
//
// Memory that is put back before the guest gets its pages: what was there, and only where its VM
// pays for it (docs/architecture.md, Prefault).
#include <unistd.h>

#include <fstream>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

constexpr std::size_t kPages = 2000;

class Prefault : public DaemonTest {
 protected:
  Prefault() { turn_on(); }
  void turn_on() { daemon_.call("device.prefault", {{"name", device_}, {"on", true}}); }
  /// What that adds to the guest's file, in pages, but for the driver's own buffers: mincore(2)
  /// does not show a page that fallocate(2) made and nobody wrote.
  [[nodiscard]] std::uint64_t fetched_by_deflating(BalloonDriver& driver,
                                                   std::span<const Pfn> pages) {
    const std::uint64_t before = ram_.allocated_bytes();
    must(driver.deflate(pages));
    return bytes_to_pages(ram_.allocated_bytes() - before);
  }
  /// Its buffers are all there already.
  static void warm_up(BalloonDriver& driver, std::span<const Pfn> pages) {
    must(driver.deflate(pages));
  }
  /// And nothing of it is on its way any more.
  void give(BalloonDriver& driver, std::span<const Pfn> pages) {
    must(driver.inflate(pages));
    expect_ballooned(pages.size());
    EXPECT_TRUE(eventually(
        [&] { return counter("gathered_pages") == 0 && counter("batches_in_flight") == 0; }));
  }
};

TEST_F(Prefault, WhatWasThereIsThereAgainWhenTheBufferIsUsed) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  const auto some = std::span(pages).subspan(100, kPages);
  warm_up(*driver, some);
  give(*driver, some);
  expect_gone(some);
  EXPECT_EQ(fetched_by_deflating(*driver, some), kPages);
  EXPECT_EQ(counter("prefault_failures"), 0U);
}

TEST_F(Prefault, WhatNobodyHadIsNotMade) {
  const auto driver = connect();
  const auto pages = usable_pages(ram_, *driver);
  const auto some = std::span(pages).subspan(100, kPages);
  warm_up(*driver, some);
  for (int i = 0; i < 2; ++i) {
    give(*driver, some);
    EXPECT_EQ(fetched_by_deflating(*driver, some), 0U);
  }
  EXPECT_EQ(counter("prefaulted_bytes"), 0U);
}

/// Version 1 of control groups, below the group that this process is in.
class OtherGroup {
 public:
  OtherGroup() {
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
      const std::size_t at = line.find(":memory:");
      if (at != std::string::npos) parent_ = "/sys/fs/cgroup/memory" + line.substr(at + 8);
    }
    other_ = parent_ + "/vballoon-" + std::to_string(::getpid());
    std::error_code error;
    made_ = !parent_.empty() && std::filesystem::create_directory(other_, error);
  }
  ~OtherGroup() {
    if (!made_) return;
    enter(parent_);
    ::rmdir(other_.c_str());
  }
  OtherGroup(const OtherGroup&) = delete;
  OtherGroup& operator=(const OtherGroup&) = delete;

  [[nodiscard]] bool possible() const { return made_; }
  void enter() { enter(other_); }
  void leave() { enter(parent_); }

 private:
  static void enter(const std::string& folder) {
    std::ofstream(folder + "/cgroup.procs") << ::getpid() << std::flush;
  }
  std::string parent_;
  std::string other_;
  bool made_ = false;
};

TEST_F(Prefault, HasNoEffectWhereTheDaemonWouldPay) {
  OtherGroup group;
  if (!group.possible()) GTEST_SKIP() << "no memory cgroup of version 1 can be made here";
  const auto driver = connect();
  const auto pages = fill(*driver);
  const auto some = std::span(pages).subspan(100, kPages);
  warm_up(*driver, some);
  give(*driver, some);
  group.enter();
  const auto refused = daemon_.try_call("device.prefault", {{"name", device_}, {"on", true}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("would be charged to cgroup"), std::string::npos)
      << refused.error().message;
  const std::string why = show().at("no_prefault");
  EXPECT_NE(why.find("/vballoon-" + std::to_string(::getpid())), std::string::npos) << why;
  EXPECT_TRUE(show().at("prefault").get<bool>()) << "the wish stays";
  EXPECT_EQ(fetched_by_deflating(*driver, some), 0U);
  expect_ballooned(0);
  EXPECT_EQ(logged(device_ + ": prefault has no effect"), 1U);

  // Its VM pays again: as soon as pages may come back it is looked at.
  driver::fill_canaries(ram_, some, 1);
  give(*driver, some);
  group.leave();
  daemon_.call("device.set", {{"name", device_}, {"target_bytes", 0}});
  EXPECT_TRUE(eventually([&] { return show().at("no_prefault") == ""; }));
  EXPECT_EQ(fetched_by_deflating(*driver, some), kPages);
}

/// Known before the first buffer, from the configuration on.
TEST_F(Prefault, IsLookedAtWhenAVmmComes) {
  OtherGroup group;
  if (!group.possible()) GTEST_SKIP() << "no memory cgroup of version 1 can be made here";
  group.enter();
  const auto driver = connect();
  EXPECT_NE(show().at("no_prefault"), "");
  group.leave();
  turn_on();
  // While another thread has the device, what is shown is what was known last.
  EXPECT_TRUE(eventually([&] { return show().at("no_prefault") == ""; }));
}

}  // namespace
}  // namespace vballoon::model
