// SPDX-License-Identifier: BSD-3-Clause
//
// A connection takes another one's number, and whoever waits for the number hears of the new one
// alone: by epoll(7) as librte_vhost does from 24.11 on, by poll(2) as it did before.
#include "vhost/libc_events.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "base/unique_fd.hpp"

namespace vballoon::vhost {
namespace {

/// Two connected sockets; the backend's came by accept(2).
class Pair {
 public:
  Pair() {
    const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{};  // the kernel chooses an abstract one
    name.sun_family = AF_UNIX;
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&name), sizeof(sa_family_t)), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    socklen_t length = sizeof(name);
    EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&name), &length), 0);
    vmm_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(vmm_.get(), reinterpret_cast<sockaddr*>(&name), length), 0);
    backend_.reset(::accept(listener.get(), nullptr, nullptr));
  }

  [[nodiscard]] int number() const { return backend_.get(); }
  void say() const { EXPECT_EQ(::send(vmm_.get(), "x", 1, MSG_NOSIGNAL), 1); }
  void hear() const {
    char heard = 0;
    EXPECT_EQ(::recv(number(), &heard, 1, MSG_DONTWAIT), 1);
  }
  void hang_up() { vmm_.reset(); }

 private:
  UniqueFd vmm_;
  UniqueFd backend_;
};

/// As fdset_add() does it.
void wait_for(int set, int number) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLERR;
  event.data.fd = number;
  ASSERT_EQ(::epoll_ctl(set, EPOLL_CTL_ADD, number, &event), 0);
}

/// The number that something happened on; nothing where nothing did.
std::optional<int> happened(int set) {
  std::array<epoll_event, 8> events{};
  const int count = ::epoll_wait(set, events.data(), events.size(), 0);
  EXPECT_LE(count, 1);
  if (count != 1) return std::nullopt;
  const int number = events[0].data.fd;
  return number;
}

TEST(GiveNumber, IsHeardByEpoll) {
  const UniqueFd set(::epoll_create1(EPOLL_CLOEXEC));
  Pair kept;
  Pair brought;
  wait_for(set.get(), brought.number());
  // As a connection is kept beside librte_vhost's own descriptor.
  const UniqueFd duplicate = UniqueFd::duplicate(brought.number());
  ASSERT_EQ(give_number(kept.number(), brought.number()), 0);
  EXPECT_FALSE(happened(set.get()));
  brought.say();
  brought.hang_up();
  EXPECT_FALSE(happened(set.get())) << "the socket that had the number is heard";
  kept.say();
  EXPECT_EQ(happened(set.get()), brought.number());
  brought.hear();
  EXPECT_FALSE(happened(set.get()));
  kept.hang_up();
  EXPECT_EQ(happened(set.get()), brought.number());
  EXPECT_EQ(::epoll_ctl(set.get(), EPOLL_CTL_DEL, brought.number(), nullptr), 0);
}

/// In librte_vhost's set are others, and what waits in a socket is not lost by the exchange.
TEST(GiveNumber, LeavesOthersAloneAndHearsWhatWaited) {
  const UniqueFd set(::epoll_create1(EPOLL_CLOEXEC));
  Pair kept;
  Pair brought;
  wait_for(set.get(), brought.number());
  Pair beside;
  wait_for(set.get(), beside.number());
  kept.say();
  ASSERT_EQ(give_number(kept.number(), brought.number()), 0);
  EXPECT_EQ(happened(set.get()), brought.number());
  brought.hear();
  beside.say();
  EXPECT_EQ(happened(set.get()), beside.number());
}

TEST(GiveNumber, IsHeardByPoll) {
  Pair kept;
  Pair brought;
  const UniqueFd duplicate = UniqueFd::duplicate(brought.number());
  ASSERT_EQ(give_number(kept.number(), brought.number()), 0);
  brought.say();
  pollfd wanted{brought.number(), POLLIN, 0};
  EXPECT_EQ(::poll(&wanted, 1, 0), 0);
  kept.say();
  EXPECT_EQ(::poll(&wanted, 1, 0), 1);
}

/// The number was in a set that is gone, or was taken out of it.
TEST(GiveNumber, WhatIsNotWaitedForIsNotAdded) {
  Pair kept;
  Pair brought;
  UniqueFd set(::epoll_create1(EPOLL_CLOEXEC));
  wait_for(set.get(), brought.number());
  ASSERT_EQ(::epoll_ctl(set.get(), EPOLL_CTL_DEL, brought.number(), nullptr), 0);
  ASSERT_EQ(give_number(kept.number(), brought.number()), 0);
  kept.say();
  EXPECT_FALSE(happened(set.get()));
}

}  // namespace
}  // namespace vballoon::vhost
