// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/gmem/test_memory_charge.cpp - whose account memory goes on.
// Source: cgroups(7), /proc/[pid]/cgroup; cgroup-v2.rst, "Memory Ownership".
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>
#include <string>

#include "gmem/memory_charge.hpp"

namespace vballoon::gmem {
namespace {

/// Version 2, where the controller counts for these cgroups.
auto counts_in(std::set<std::string> cgroups) {
  return [cgroups](const std::string& path) { return cgroups.contains(path); };
}

TEST(PayingCgroup, OfVersion1IsThatOfTheController) {
  const std::string text =
      "12:hugetlb:/vm.slice\n8:cpu,cpuacct:/a\n5:memory:/machine.slice/vm1\n0::/user.slice\n";
  EXPECT_EQ(paying_cgroup(text, "memory", counts_in({})), "/machine.slice/vm1");
  EXPECT_EQ(paying_cgroup(text, "hugetlb", counts_in({})), "/vm.slice");
  EXPECT_EQ(paying_cgroup(text, "cpuacct", counts_in({})), "/a");
}

TEST(PayingCgroup, OfVersion2IsTheNearestThatCountsByItself) {
  const std::string text = "0::/machine.slice/vm1/emulator\n";
  const auto paying = [&](std::set<std::string> counting) {
    return paying_cgroup(text, "memory", counts_in(std::move(counting)));
  };
  EXPECT_EQ(paying({"/machine.slice", "/machine.slice/vm1"}), "/machine.slice/vm1");
  EXPECT_EQ(paying({"/machine.slice"}), "/machine.slice");
  EXPECT_EQ(paying({"/machine.slice/vm1/emulator"}), "/machine.slice/vm1/emulator");
  EXPECT_EQ(paying({}), "/");
}

TEST(PayingCgroup, OfTheRootIsTheRoot) {
  EXPECT_EQ(paying_cgroup("0::/\n", "memory", counts_in({})), "/");
  EXPECT_EQ(paying_cgroup("5:memory:/\n0::/\n", "memory", counts_in({})), "/");
}

TEST(PayingCgroup, OfAControllerThatNobodyMountedIsTheRoot) {
  EXPECT_EQ(paying_cgroup("5:memory:/a\n", "hugetlb", counts_in({})), "/");
}

TEST(PayingCgroup, OfNoTextAtAllIsNotKnown) {
  EXPECT_EQ(paying_cgroup("", "memory", counts_in({})), "");
  EXPECT_EQ(paying_cgroup("nonsense\n", "memory", counts_in({})), "");
}

/// Of a hierarchy with a name, and of paths with colons.
TEST(PayingCgroup, ReadsOddLines) {
  EXPECT_EQ(paying_cgroup("1:name=systemd:/x\n5:memory:/a:b\n", "memory", counts_in({})), "/a:b");
  EXPECT_EQ(paying_cgroup("1:name=systemd:/x\n", "memory", counts_in({})), "/");
}

TEST(ChargedElsewhere, NotWithAProcessOfTheSameCgroup) {
  for (const bool huge : {false, true}) EXPECT_EQ(charged_elsewhere(::getpid(), huge), "");
}

TEST(ChargedElsewhere, WhereTheProcessIsNotKnown) {
  EXPECT_NE(charged_elsewhere(0, false).find("is not known"), std::string::npos);
  constexpr pid_t kNobody = 0x7ffffff0;
  EXPECT_NE(charged_elsewhere(kNobody, false).find("cannot be read"), std::string::npos);
}

}  // namespace
}  // namespace vballoon::gmem
