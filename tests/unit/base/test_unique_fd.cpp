// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/base/test_unique_fd.cpp - a file descriptor is closed once, by its owner.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "base/unique_fd.hpp"

namespace vballoon {
namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

UniqueFd open_null() {
  return UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC));
}

TEST(UniqueFd, OwnsNothingAtFirst) {
  UniqueFd fd;
  EXPECT_FALSE(fd.valid());
  EXPECT_EQ(fd.get(), -1);
  fd.reset();
  EXPECT_FALSE(fd.valid());
}

TEST(UniqueFd, ClosesAtItsEnd) {
  int number = -1;
  {
    const UniqueFd fd = open_null();
    number = fd.get();
    ASSERT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, AMoveHandsTheDescriptorOver) {
  UniqueFd from = open_null();
  const int number = from.get();
  UniqueFd to(std::move(from));
  EXPECT_FALSE(from.valid());  // NOLINT(bugprone-use-after-move): empty is what is promised
  EXPECT_EQ(to.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(UniqueFd, AMoveAssignmentClosesWhatWasThere) {
  UniqueFd a = open_null();
  UniqueFd b = open_null();
  const int old = b.get();
  const int number = a.get();
  b = std::move(a);
  EXPECT_FALSE(is_open(old));
  EXPECT_EQ(b.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(UniqueFd, SurvivesAnAssignmentToItself) {
  UniqueFd fd = open_null();
  UniqueFd& same = fd;
  fd = std::move(same);
  ASSERT_TRUE(fd.valid());
  EXPECT_TRUE(is_open(fd.get()));
}

TEST(UniqueFd, ReleaseGivesUpWithoutClosing) {
  UniqueFd fd = open_null();
  const int number = fd.release();
  EXPECT_FALSE(fd.valid());
  EXPECT_TRUE(is_open(number));
  ::close(number);
}

TEST(UniqueFd, ResetReplaces) {
  UniqueFd fd = open_null();
  const int old = fd.get();
  fd.reset(::dup(old));
  EXPECT_FALSE(is_open(old));
  EXPECT_TRUE(is_open(fd.get()));
}

TEST(UniqueFd, ADuplicateIsTheSameOpenFileAndCloseOnExec) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const UniqueFd second = UniqueFd::duplicate(writer.get());
  ASSERT_TRUE(second.valid());
  EXPECT_NE(second.get(), writer.get());
  EXPECT_NE(::fcntl(second.get(), F_GETFD) & FD_CLOEXEC, 0);
  writer.reset();
  ASSERT_EQ(::write(second.get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(reader.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
}

TEST(UniqueFd, ADuplicateOfNothingIsInvalid) {
  EXPECT_FALSE(UniqueFd::duplicate(-1).valid());
  const int number = open_null().get();  // closed by now
  EXPECT_FALSE(UniqueFd::duplicate(number).valid());
}

}  // namespace
}  // namespace vballoon
