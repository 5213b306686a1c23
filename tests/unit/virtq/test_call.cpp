// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/test_call.cpp - the driver is called, and never waited for.
// Layer:  tests of virtq. Source: vhost-user, VHOST_USER_SET_VRING_CALL; VIRTIO 1.2, 2.7.7.2.
//         A call that blocked would hang here until the test times out.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

#include "base/unique_fd.hpp"
#include "virtq/call.hpp"

namespace vballoon::virtq {
namespace {

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

Pipe open_pipe() {
  std::array<int, 2> ends{-1, -1};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::uint64_t read_event(int fd) {
  std::uint64_t value = 0;
  return ::read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

bool is_blocking(int fd) {
  return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

TEST(Call, WithoutADescriptorNobodyIsCalled) {
  Call none;
  EXPECT_FALSE(none.signal());
  Call minus_one(-1);
  EXPECT_FALSE(minus_one.signal());
}

TEST(Call, AnEventfdCountsTheCalls) {
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Call call(event.get());
  EXPECT_EQ(read_event(event.get()), 0U) << "making one calls nobody";
  EXPECT_TRUE(call.signal());
  EXPECT_TRUE(call.signal());
  EXPECT_EQ(read_event(event.get()), 2U);
}

TEST(Call, KeepsADescriptorOfItsOwn) {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const UniqueFd second = UniqueFd::duplicate(event.get());
  Call call(event.get());
  event.reset();
  EXPECT_TRUE(call.signal());
  EXPECT_EQ(read_event(second.get()), 1U);
}

TEST(Call, ASaturatedEventfdDoesNotBlock) {
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC));  // blocking, as a front end may hand it over
  const std::uint64_t full = UINT64_MAX - 1;
  ASSERT_EQ(::write(event.get(), &full, sizeof(full)), 8);
  Call call(event.get());
  EXPECT_TRUE(call.signal());
  EXPECT_EQ(read_event(event.get()), full);
}

// User Mode Linux hands over a pipe.
TEST(Call, APipeIsWrittenAndItsFlagsStayAsTheyWere) {
  const Pipe pipe = open_pipe();
  ASSERT_TRUE(is_blocking(pipe.writer.get()));
  Call call(pipe.writer.get());
  EXPECT_TRUE(call.signal());
  std::uint64_t value = 0;
  ASSERT_EQ(::read(pipe.reader.get(), &value, sizeof(value)), 8);
  EXPECT_EQ(value, 1U);
  EXPECT_TRUE(is_blocking(pipe.writer.get())) << "the VMM's own description was changed";
  EXPECT_TRUE(is_blocking(pipe.reader.get()));
}

TEST(Call, AFullPipeDoesNotBlock) {
  const Pipe pipe = open_pipe();
  Call call(pipe.writer.get());
  const std::array<char, 4096> filler{};
  const int capacity = ::fcntl(pipe.writer.get(), F_GETPIPE_SZ);
  for (int sent = 0; sent < capacity; sent += static_cast<int>(filler.size())) {
    ASSERT_EQ(::write(pipe.writer.get(), filler.data(), filler.size()), 4096);
  }
  EXPECT_TRUE(call.signal());
  EXPECT_TRUE(call.signal());
}

TEST(Call, APipeWhoseReaderIsGoneIsSurvived) {
  // As in the daemon.
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe = open_pipe();
  Call call(pipe.writer.get());
  pipe.reader.reset();
  EXPECT_TRUE(call.signal());
  EXPECT_TRUE(call.signal());
  Call late(pipe.writer.get());
  late.signal();
  std::signal(SIGPIPE, before);
}

TEST(Call, AMoveTakesTheDescriptorAlong) {
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Call from(event.get());
  Call to = std::move(from);
  EXPECT_TRUE(to.signal());
  EXPECT_EQ(read_event(event.get()), 1U);
}

}  // namespace
}  // namespace vballoon::virtq
