// SPDX-License-Identifier: BSD-3-Clause
//
// Source: cpuset(7), "List format".
#include <gtest/gtest.h>
#include <sched.h>

#include "lcore/placement/cpus.hpp"

namespace vballoon::lcore {
namespace {

TEST(CpuList, ReadsNumbersAndRanges) {
  EXPECT_EQ(parse_cpu_list("0-3,8"), (CpuList{0, 1, 2, 3, 8}));
  EXPECT_EQ(parse_cpu_list("7"), (CpuList{7}));
  EXPECT_EQ(parse_cpu_list("5,1-2,2"), (CpuList{1, 2, 5}));
}

TEST(CpuList, OfNonsenseIsEmpty) {
  for (const char* text : {"", "x", "1-", "-1", "1;2", "99999", "1,,2"}) {
    EXPECT_TRUE(parse_cpu_list(text).empty()) << text;
  }
}

TEST(CpuList, WritesRangesShort) {
  EXPECT_EQ(format_cpu_list({0, 1, 2, 3, 8}), "0-3,8");
  EXPECT_EQ(format_cpu_list({4}), "4");
  EXPECT_EQ(format_cpu_list({}), "");
}

TEST(Cpus, AreReadWithoutMovingTheCaller) {
  cpu_set_t before;
  cpu_set_t after;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  const Cpus cpus = read_cpus();
  ASSERT_EQ(sched_getaffinity(0, sizeof(after), &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  EXPECT_EQ(cpus.allowed.size(), static_cast<std::size_t>(CPU_COUNT(&before)));
  EXPECT_GE(cpus.usable.size(), cpus.allowed.size());
}

}  // namespace
}  // namespace vballoon::lcore
