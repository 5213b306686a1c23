// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/test_call.cpp - the driver is called, and never waited for.
// Source: vhost-user, VHOST_USER_SET_VRING_CALL; VIRTIO 1.2, 2.7.7.2. A call that blocked would
//         hang here until the test times out.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

#include "base/unique_fd.hpp"
#include "virtq/call.hpp"

namespace vballoon::virtq {
namespace {

struct Pair {
  UniqueFd ours;
  UniqueFd theirs;
};

/// As User Mode Linux opens it.
Pair open_pair() {
  std::array<int, 2> ends{-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
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
  EXPECT_EQ(none.signal(), Call::Sent::kNobody);
  Call minus_one(-1);
  EXPECT_EQ(minus_one.signal(), Call::Sent::kNobody);
}

TEST(Call, AnEventfdCountsTheCalls) {
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Call call(event.get());
  EXPECT_EQ(read_event(event.get()), 0U) << "making one calls nobody";
  EXPECT_EQ(call.signal(), Call::Sent::kCalled);
  EXPECT_EQ(call.signal(), Call::Sent::kCalled);
  EXPECT_EQ(read_event(event.get()), 2U);
}

TEST(Call, KeepsADescriptorOfItsOwn) {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const UniqueFd second = UniqueFd::duplicate(event.get());
  Call call(event.get());
  event.reset();
  EXPECT_EQ(call.signal(), Call::Sent::kCalled);
  EXPECT_EQ(read_event(second.get()), 1U);
}

TEST(Call, ASaturatedEventfdDoesNotBlock) {
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC));  // blocking, as a front end may hand it over
  const std::uint64_t full = UINT64_MAX - 1;
  ASSERT_EQ(::write(event.get(), &full, sizeof(full)), 8);
  Call call(event.get());
  EXPECT_EQ(call.signal(), Call::Sent::kCalled);
  EXPECT_EQ(read_event(event.get()), full);
}

// The flag is the front end's as well, and it takes it away again.
TEST(Call, OneThatIsMadeToBlockIsReleasedAndTheLast) {
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC));
  Call call(event.get());
  const std::uint64_t full = UINT64_MAX - 1;
  ASSERT_EQ(::write(event.get(), &full, sizeof(full)), 8);
  ASSERT_EQ(::fcntl(event.get(), F_SETFL, O_RDWR), 0);
  std::atomic<bool> back{false};
  std::thread caller([&] {
    EXPECT_EQ(call.signal(), Call::Sent::kHeldUp);
    back = true;
  });
  while (!back) {
    release_held_calls();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  caller.join();
  EXPECT_EQ(call.signal(), Call::Sent::kNobody) << "it would only wait again";
}

TEST(Call, WhoIsNotHeldUpIsNotDisturbed) {
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC));
  Call call(event.get());
  std::atomic<bool> stop{false};
  std::thread guard([&stop] {
    while (!stop) release_held_calls();
  });
  for (int i = 0; i < 20'000; ++i) EXPECT_EQ(call.signal(), Call::Sent::kCalled);
  stop = true;
  guard.join();
}

TEST(Call, OtherFilesAreNotWrittenTo) {
  const UniqueFd file(::memfd_create("call", MFD_CLOEXEC));
  const UniqueFd inet(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_TRUE(inet.valid());
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd pipe(ends[1]);
  const UniqueFd zero(::open("/dev/zero", O_RDWR | O_CLOEXEC));
  for (const int fd : {file.get(), inet.get(), pipe.get(), zero.get(), 1'000'000}) {
    EXPECT_FALSE(Call::fits(fd));
    Call call(fd);
    EXPECT_EQ(call.signal(), Call::Sent::kNobody);
  }
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_END), 0);
  EXPECT_TRUE(is_blocking(pipe.get())) << "nor are its flags touched";
}

TEST(Call, ASocketIsWrittenToAndItsFlagsStayAsTheyWere) {
  const Pair pair = open_pair();
  ASSERT_TRUE(is_blocking(pair.ours.get()));
  Call call(pair.ours.get());
  EXPECT_EQ(call.signal(), Call::Sent::kCalled);
  EXPECT_EQ(read_event(pair.theirs.get()), 1U);
  EXPECT_TRUE(is_blocking(pair.ours.get()));
}

TEST(Call, AFullSocketDoesNotBlock) {
  const Pair pair = open_pair();
  Call call(pair.ours.get());
  const std::array<char, 4096> filler{};
  while (::send(pair.ours.get(), filler.data(), filler.size(), MSG_DONTWAIT) > 0) continue;
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(call.signal(), Call::Sent::kCalled);
  EXPECT_EQ(call.signal(), Call::Sent::kCalled);
}

TEST(Call, ASocketWhoseReaderIsGoneIsSurvived) {
  Pair pair = open_pair();
  Call call(pair.ours.get());
  pair.theirs.reset();
  EXPECT_EQ(call.signal(), Call::Sent::kCalled);
  EXPECT_EQ(call.signal(), Call::Sent::kCalled);
  Call late(pair.ours.get());
  EXPECT_EQ(late.signal(), Call::Sent::kCalled);
}

TEST(Call, AMoveTakesTheDescriptorAlong) {
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Call from(event.get());
  Call to = std::move(from);
  EXPECT_EQ(to.signal(), Call::Sent::kCalled);
  EXPECT_EQ(read_event(event.get()), 1U);
}

}  // namespace
}  // namespace vballoon::virtq
