// SPDX-License-Identifier: BSD-3-Clause
//
// A connection is over when the process of its VMM is, whoever holds an end of it: the daemon, for
// one, among the descriptors that it was handed. Source: unix(7), SCM_RIGHTS and SCM_CREDENTIALS.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "harness/hostile_vmm.hpp"

namespace vballoon::model {
namespace {

using driver::Deadline;
using driver::MessageSocket;
using std::chrono::seconds;

class VmmGone : public HostileVmm {
 protected:
  /// Runs it in a process that is gone when this returns. @return whether it said yes.
  template <typename Body>
  static bool in_a_process(Body body) {
    const pid_t child = ::fork();
    if (child == 0) {
      bool yes = false;
      try {
        yes = body();
      } catch (...) {
      }
      ::_exit(yes ? 0 : 1);
    }
    int status = -1;
    return ::waitpid(child, &status, 0) == child && status == 0;
  }
  /// In client mode the daemon comes again, where it listens it waits.
  bool is_free_soon() {
    const Deadline deadline(seconds(20));
    if (client()) return listener_->accept(deadline).has_value();
    while (!deadline.passed()) {
      if (daemon_.show(device_).at("state") == "waiting") return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }
  static constexpr wire::Header kAnything{.request = 1, .flags = 1, .size = 0};
};

INSTANTIATE_TEST_SUITE_P(Both, VmmGone, testing::Values(Mode::kServer, Mode::kClient), mode_name);

/// By whatever message, of whichever connection.
TEST_P(VmmGone, AnEndOfAConnectionToTheDaemonIsNotTaken) {
  RawVmm vmm(arrive());
  RawVmm other(daemon_.socket(Lab::get().next_device()));
  const auto rpc =
      must(MessageSocket::connect((daemon_.folder() / "rpc").string(), Deadline(seconds(5))));
  const auto one_of_eight = RawVmm::payload({1, 0, kMiB, kUser, 0});
  for (const int end : {vmm.socket().fd(), other.socket().fd(), rpc.fd()}) {
    const std::array<int, 1> fd{end};
    for (const std::uint32_t request : {5U, 6U, 7U, 12U, 13U, 14U, 21U, 32U}) {
      const auto& payload = request == 5 ? one_of_eight : RawVmm::payload({0, 0, 5 | 128U << 16U});
      EXPECT_EQ(vmm.verdict(request, payload, fd), 1U) << request;
    }
  }
  EXPECT_GE(logged("an end of a connection to this daemon"), 1U);
  const auto both = std::array{vmm.socket().fd(), other.socket().fd()};
  EXPECT_EQ(other.verdict(number(Request::kSetBackendReqFd), {}, std::span(both).first(1)), 1U);
  expect_beside_is_served();
}

/// On its way in a socket that the daemon was handed it cannot be seen.
TEST_P(VmmGone, AnEndInsideOfASocketThatWasHandedOverKeepsNothingAlive) {
  for (const Request request : {Request::kSetBackendReqFd, Request::kSetVringKick}) {
    ASSERT_TRUE(in_a_process([&] {
      RawVmm vmm(arrive());
      auto [near, far] = must(MessageSocket::pair());
      must(near.send(kAnything, {}, std::array{vmm.socket().fd()}, Deadline(seconds(5))));
      return vmm.verdict(number(request), RawVmm::payload({0}), std::array{far.fd()}) == 0U;
    }));
    EXPECT_TRUE(is_free_soon()) << number(request);
  }
  EXPECT_GE(logged("its process is gone"), 1U);
  expect_next_vmm_is_served();
}

/// close(2) of a network socket waits for its peer as long as SO_LINGER says.
TEST_P(VmmGone, ADescriptorThatIsSlowToCloseHoldsUpNobody) {
  if (daemon_.log().find("this build has a sanitizer") != std::string::npos) {
    GTEST_SKIP() << "a sanitizer's runtime closes files itself, and may not be held up";
  }
  const auto local = [] { return UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); };
  const UniqueFd door = local();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* const generic = static_cast<sockaddr*>(static_cast<void*>(&address));
  ASSERT_EQ(::bind(door.get(), generic, length), 0);
  ASSERT_EQ(::listen(door.get(), 1), 0);
  ASSERT_EQ(::getsockname(door.get(), generic, &length), 0);
  RawVmm vmm(arrive());
  {
    const UniqueFd slow = local();
    ASSERT_EQ(::connect(slow.get(), generic, length), 0);
    const linger long_time{.l_onoff = 1, .l_linger = 600};
    ASSERT_EQ(::setsockopt(slow.get(), SOL_SOCKET, SO_LINGER, &long_time, sizeof(long_time)), 0);
    const std::vector<char> unread(64 * kKiB);
    while (::send(slow.get(), unread.data(), unread.size(), MSG_DONTWAIT) > 0) continue;
    // Kept as the kick, and refused with a message that has no use for it.
    EXPECT_EQ(
        vmm.verdict(number(Request::kSetVringKick), RawVmm::payload({0}), std::array{slow.get()}),
        0U);
    EXPECT_EQ(vmm.verdict(77, {}, std::array{slow.get()}), 1U);
  }
  vmm.socket().close();
  EXPECT_TRUE(is_free_soon());
  for (int i = 0; i < 5; ++i) expect_beside_is_served();
  expect_next_vmm_is_served();
}

/// As a program does that opens sockets for its VMMs, and may be started anew itself.
TEST_P(VmmGone, WhoeverTookTheConnectionOverKeepsIt) {
  auto [mine, childs] = must(MessageSocket::pair());
  ASSERT_TRUE(in_a_process([&, &child = childs] {
    MessageSocket connection = arrive();
    return child.send(kAnything, {}, std::array{connection.fd()}, Deadline(seconds(5))).has_value();
  }));
  auto message = must(mine.receive(Deadline(seconds(5))));
  ASSERT_EQ(message.fds.size(), 1U);
  const auto driver = must(BalloonDriver::start(MessageSocket(std::move(message.fds[0])), ram_,
                                                of_this_run(DriverOptions{})));
  // Longer than a process that took it over may be silent.
  std::this_thread::sleep_for(seconds(5));
  must(driver->inflate(std::vector<Pfn>{Pfn{3000}, Pfn{3001}}));
  EXPECT_EQ(show().at("state"), "running");
  expect_ballooned(2);
}

}  // namespace
}  // namespace vballoon::model
