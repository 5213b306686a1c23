// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "rpc/line_buffer.hpp"

namespace vballoon::rpc {
namespace {

TEST(LineBuffer, CutsSeveralLinesOutOfOneRead) {
  LineBuffer lines(100);
  lines.append("one\ntwo\r\nthr");
  EXPECT_EQ(lines.next(), "one");
  EXPECT_EQ(lines.next(), "two");
  EXPECT_EQ(lines.next(), std::nullopt);
  lines.append("ee\n");
  EXPECT_EQ(lines.next(), "three");
  EXPECT_FALSE(lines.overflowed());
}

TEST(LineBuffer, PutsALineTogetherByteByByte) {
  LineBuffer lines(100);
  for (const char c : std::string("slow\n")) {
    EXPECT_EQ(lines.next(), std::nullopt);
    lines.append({&c, 1});
  }
  EXPECT_EQ(lines.next(), "slow");
}

TEST(LineBuffer, TakesALineOfExactlyTheLimit) {
  LineBuffer lines(4);
  lines.append("four\n");
  EXPECT_EQ(lines.next(), "four");
  EXPECT_FALSE(lines.overflowed());
}

TEST(LineBuffer, OverflowsOnAFinishedLineBeyondTheLimit) {
  LineBuffer lines(4);
  lines.append("ok\nfives\nok\n");
  EXPECT_EQ(lines.next(), "ok");
  EXPECT_EQ(lines.next(), std::nullopt);
  EXPECT_TRUE(lines.overflowed());
}

TEST(LineBuffer, OverflowsBeforeTheNewlineComes) {
  LineBuffer lines(4);
  lines.append("fives");
  EXPECT_EQ(lines.next(), std::nullopt);
  EXPECT_TRUE(lines.overflowed());
  lines.append("\nok\n");
  EXPECT_EQ(lines.next(), std::nullopt) << "there is no way back into step";
}

TEST(LineBuffer, HandsOutEmptyLines) {
  LineBuffer lines(4);
  lines.append("\n\n");
  EXPECT_EQ(lines.next(), "");
  EXPECT_EQ(lines.next(), "");
  EXPECT_EQ(lines.next(), std::nullopt);
}

}  // namespace
}  // namespace vballoon::rpc
