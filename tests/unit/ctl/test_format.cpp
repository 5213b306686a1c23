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

TEST(TableTest, LeavesOutTheLastColumnsWhereThereIsNoRoom) {
  Table table({"NAME", ">SIZE", "SOCKET"});
  table.row({"a", "1 GiB", "/x"});
  EXPECT_EQ(table.str(19), "NAME   SIZE  SOCKET\na     1 GiB  /x\n");
  EXPECT_EQ(table.str(18), "NAME   SIZE\na     1 GiB\n");
  EXPECT_EQ(table.str(10), "NAME\na\n");
  EXPECT_EQ(table.str(2), "NA\na\n") << "the first column stays, as far as it goes";
}

TEST(TableTest, AlignsByCellsAndNotByBytes) {
  Table table({"NAME", "SOCKET"});
  table.row({"größe", "/x"});
  EXPECT_EQ(table.str(), "NAME   SOCKET\ngröße  /x\n");
}

TEST(Fields, AreFitForATerminal) {
  EXPECT_EQ(text(Json{{"socket", "/a\xe2\x80\xae\x1b[2J"}}, "socket"), "/a\\u202e\\x1b[2J");
}

TEST(Screenful, KeepsTheHeadingAndSaysWhatIsLeftOut) {
  const std::string table = "NAME\nvm1\nvm2\nvm3\nvm4\n";
  EXPECT_EQ(screenful("4 VMs", table, 7, 80), "4 VMs\n\nNAME\nvm1\nvm2\nvm3\nvm4");
  EXPECT_EQ(screenful("4 VMs", table, 6, 80),
            "4 VMs\n\nNAME\nvm1\nvm2\n... and 2 more; `vballoonctl list` has all");
  EXPECT_EQ(screenful("4 VMs", table, 6, 9), "4 VMs\n\nNAME\nvm1\nvm2\n... and 2");
  EXPECT_EQ(screenful("4 VMs", table, 1, 80),
            "4 VMs\n\nNAME\n... and 4 more; `vballoonctl list` has all");
  EXPECT_EQ(screenful("0 VMs", "NAME\n", 24, 80), "0 VMs\n\nNAME");
}

}  // namespace
}  // namespace vballoon::ctl
