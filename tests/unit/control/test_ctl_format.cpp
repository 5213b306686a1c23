// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "format.hpp"

namespace vballoon::ctl {
namespace {

using rpc::Json;

TEST(Fields, SurviveAnotherVersionOfTheDaemon) {
  const Json device{{"name", "vm1"}, {"guest_bytes", 4096u}, {"odd", -5}};
  EXPECT_EQ(text(device, "name"), "vm1");
  EXPECT_EQ(text(device, "guest_bytes"), "");
  EXPECT_EQ(number(device, "guest_bytes"), 4096U);
  EXPECT_EQ(number(device, "odd"), 0U);
  EXPECT_EQ(number(Json(), "x"), 0U);
  EXPECT_EQ(size_field(device, "guest_bytes"), "4 KiB");
  EXPECT_EQ(size_field(device, "absent"), "-");
  EXPECT_EQ(size_field(Json(), "x"), "-");
}

TEST(Fields, GuestWithoutAVmmHasNoSize) {
  EXPECT_EQ(guest_field(Json{{"guest_bytes", 0u}}), "-");
  EXPECT_EQ(guest_field(Json{{"guest_bytes", 1048576u}}), "1 MiB");
}

TEST(Age, IsReadAtAGlance) {
  EXPECT_EQ(format_age(0), "0.0 s");
  EXPECT_EQ(format_age(1234), "1.2 s");
  EXPECT_EQ(format_age(9999), "9.9 s");
  EXPECT_EQ(format_age(10'000), "10 s");
  EXPECT_EQ(format_age(119'999), "119 s");
  EXPECT_EQ(format_age(120'000), "2 min");
  EXPECT_EQ(format_age(7'200'000), "2 h");
}

TEST(Bar, IsFullOnlyWhenAllIsDone) {
  EXPECT_EQ(bar(0, 100, 10), "[----------]");
  EXPECT_EQ(bar(50, 100, 10), "[#####-----]");
  EXPECT_EQ(bar(99, 100, 10), "[#########-]");
  EXPECT_EQ(bar(100, 100, 10), "[##########]");
  EXPECT_EQ(bar(500, 100, 10), "[##########]");
  EXPECT_EQ(bar(0, 0, 4), "[####]") << "nothing to do is done";
}

TEST(Percent, IsRoundedDown) {
  EXPECT_EQ(percent(0, 3), "0%");
  EXPECT_EQ(percent(2, 3), "66%");
  EXPECT_EQ(percent(999, 1000), "99%");
  EXPECT_EQ(percent(3, 3), "100%");
  EXPECT_EQ(percent(0, 0), "100%");
}

TEST(TableTest, AlignsColumnsAndEndsNoLineInBlanks) {
  Table table({"NAME", ">SIZE", "SOCKET"});
  table.row({"a", "1 GiB", "/x"});
  table.row({"longer", "5 B", ""});
  EXPECT_EQ(table.str(),
            "NAME     SIZE  SOCKET\n"
            "a       1 GiB  /x\n"
            "longer    5 B\n");
}

}  // namespace
}  // namespace vballoon::ctl
