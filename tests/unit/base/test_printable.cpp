// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "base/printable.hpp"

namespace vballoon {
namespace {

TEST(Printable, LeavesTextAsItIs) {
  for (const char* text :
       {"", "/run/vballoon/vm1.sock", "two\nlines", "Größe", "値", "\"quoted\" \\"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, EscapesWhatTerminalsActUpon) {
  EXPECT_EQ(printable("a\x1b[2J"), "a\\x1b[2J");
  EXPECT_EQ(printable("a\rb\tc\x7f"), "a\\rb\\tc\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"), "\\x9b") << "U+009B, an escape sequence's beginning";
  EXPECT_EQ(printable("/\xe2\x80\xae/x"), "/\\u202e/x") << "U+202E, from right to left";
  EXPECT_EQ(printable("\xe2\x81\xa6"), "\\u2066") << "U+2066, an isolate";
  EXPECT_EQ(printable("\xe2\x80\x8b"), "\\u200b") << "U+200B, of no width";
  EXPECT_EQ(printable("\xe2\x80\xa8"), "\\u2028") << "U+2028, a line's end";
}

TEST(Printable, EscapesBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("\x9b"), "\\x9b");
  EXPECT_EQ(printable("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(printable("\xe2\x80"), "\\xe2\\x80") << "cut off";
  EXPECT_EQ(printable("\xe2"
                      "A"),
            "\\xe2"
            "A")
      << "what follows is not swallowed";
}

TEST(Printable, KnowsWhatItWouldChange) {
  EXPECT_FALSE(has_unprintable("/run/größe"));
  EXPECT_TRUE(has_unprintable("/run/\xe2\x80\xae"));
  EXPECT_TRUE(has_unprintable("two\nlines"));
}

TEST(Columns, AreCodePoints) {
  EXPECT_EQ(columns_of("abc"), 3U);
  EXPECT_EQ(columns_of("größe"), 5U);
  EXPECT_EQ(first_columns("größe", 3), "grö");
  EXPECT_EQ(first_columns("größe", 9), "größe");
  EXPECT_EQ(first_columns("größe", 0), "");
}

}  // namespace
}  // namespace vballoon
