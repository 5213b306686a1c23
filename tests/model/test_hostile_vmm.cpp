// SPDX-License-Identifier: BSD-3-Clause
//
// What a VMM may send, or leave unsent: refused or disconnected, while the VMM beside it is
// answered and the daemon neither grows nor says more than a person reads.
// Source: vhost-user protocol, "Message Specification".
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "harness/hostile_vmm.hpp"

namespace vballoon::model {
namespace {

INSTANTIATE_TEST_SUITE_P(Both, HostileVmm, testing::Values(Mode::kServer, Mode::kClient),
                         mode_name);

TEST_P(HostileVmm, HalfAMessageAndThenSilence) {
  expect_beside_is_served();
  const std::size_t before = open_files();
  for (int round = 0; round < rounds(20); ++round) {
    RawVmm vmm(arrive());
    const auto head = RawVmm::header(number(Request::kSetMemTable), 40, false);
    vmm.send_bytes(std::as_bytes(std::span(&head, 1)));
    expect_beside_is_served();
    EXPECT_TRUE(vmm.ended());
  }
  EXPECT_TRUE(eventually([&] { return open_files() == before; }))
      << open_files() << " instead of " << before;
  expect_next_vmm_is_served();
}

TEST_P(HostileVmm, HalfAHeaderAndThenSilence) {
  RawVmm vmm(arrive());
  vmm.send_bytes(std::array<std::byte, 5>{});
  expect_beside_is_served();
  EXPECT_TRUE(vmm.ended());
}

TEST_P(HostileVmm, ADeviceCanBeRemovedWhileItsVmmIsSilent) {
  RawVmm vmm(arrive());
  const auto head = RawVmm::header(number(Request::kSetFeatures), 8, false);
  vmm.send_bytes(std::as_bytes(std::span(&head, 1)));
  daemon_.call("device.remove", {{"name", device_}});
  EXPECT_TRUE(vmm.ended());
  expect_beside_is_served();
}

/// All the time in the middle of one: the daemon answers, and ends when it is told to.
TEST_P(HostileVmm, NothingKeepsTheDaemonFromAnsweringAndEnding) {
  const auto head = RawVmm::header(number(Request::kSetFeatures), 8, false);
  for (const bool removed : {true, false}) {
    std::optional<Daemon> daemon(std::in_place,
                                 std::vector<std::string>{client() ? "own=client" : "own"});
    const std::string path = daemon->socket("own");
    std::optional<driver::Listener> door;
    if (client()) door.emplace(must(driver::Listener::bind(path)));
    std::atomic<bool> stop{false};
    std::thread vmm([&] {
      while (!stop) {
        const driver::Deadline soon(std::chrono::milliseconds(100));
        auto socket = door ? door->accept(soon) : driver::MessageSocket::connect(path, soon);
        if (!socket) continue;
        RawVmm half(*std::move(socket));
        half.send_bytes(std::as_bytes(std::span(&head, 1)));
        static_cast<void>(half.socket().readable(driver::Deadline(std::chrono::seconds(1))));
      }
    });
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(daemon->call("device.list", Json::object()).at("devices").size(), 1U);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    if (removed) daemon->call("device.remove", {{"name", "own"}});
    daemon.reset();  // by SIGTERM, and looks how it ends
    stop = true;
    vmm.join();
  }
}

/// Header and payload on their own, as long as the payload comes soon.
TEST_P(HostileVmm, AMessageInTwoWritesKeepsItsDescriptor) {
  const UniqueFd region(::memfd_create("region", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(region.get(), kPageSize), 0);
  ASSERT_EQ(::fcntl(region.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  const auto payload = RawVmm::payload({kPageSize, 0, 5 | 128U << 16U});
  const auto head = RawVmm::header(number(Request::kSetInflightFd), payload.size(), true);
  const driver::Deadline deadline(RawVmm::kPatience);
  RawVmm::Bytes verdict;
  // A sender that is not let run in between is late, and has no answer at all.
  EXPECT_TRUE(eventually([&] {
    RawVmm vmm(arrive());
    static_cast<void>(vmm.socket().send_bytes(std::as_bytes(std::span(&head, 1)),
                                              std::array{region.get()}, deadline));
    ::usleep(1000);
    vmm.send_bytes(payload);
    const auto answer = vmm.socket().receive(deadline);
    if (answer) verdict = answer->payload;
    return answer.has_value();
  }));
  EXPECT_EQ(verdict, RawVmm::Bytes(8));
}

TEST_P(HostileVmm, OneThatDoesNotReadItsAnswersIsDisconnected) {
  for (const bool second : {false, true}) {
    if (second && client()) continue;
    std::optional<RawVmm> first;
    if (second) first.emplace(arrive());
    RawVmm vmm(arrive());
    bool open = true;
    for (int i = 0; open && i < 100'000; ++i) {
      open = vmm.send(number(Request::kGetFeatures));
      if (i % 500 == 0) expect_beside_is_served();
    }
    EXPECT_FALSE(open) << (second ? "as the second" : "as the first");
  }
  EXPECT_GE(logged("does not read its answers"), 1U);
  expect_beside_is_served();
}

TEST_P(HostileVmm, OneThatDoesNotReadConfigChangesBlocksNobody) {
  const auto driver = connect();
  for (unsigned i = 0; i < 2000; ++i) {
    daemon_.call("device.set", {{"name", device_}, {"target_bytes", (i % 2 + 1) * kMiB}});
  }
  expect_beside_is_served();
  must(driver->inflate(std::vector<Pfn>{Pfn{3000}}));
}

TEST_P(HostileVmm, MessagesOfOtherDevicesAreRefused) {
  RawVmm vmm(arrive());
  std::vector<std::uint32_t> requests{0,  19, 20, 22, 23, 26, 27, 28, 29,
                                      30, 33, 34, 35, 36, 37, 38, 39, 40};
  requests.insert(requests.end(), {41, 42, 43, 44, 100, 0x7FFFFFFF, 0xFFFFFFFF});
  for (const std::uint32_t request : requests) {
    EXPECT_EQ(vmm.verdict(request, RawVmm::payload({2000, 1, 2, 3, 4})), 1U) << request;
  }
  EXPECT_GE(logged("which is not of this device"), 1U);
  expect_beside_is_served();
}

TEST_P(HostileVmm, AskedForNoAnswerTheConnectionEnds) {
  RawVmm vmm(arrive());
  vmm.send(20, RawVmm::payload({1500}));
  EXPECT_TRUE(vmm.ended());
}

TEST_P(HostileVmm, PayloadsThatAreShorterThanTheirRequest) {
  const std::vector<std::pair<Request, std::size_t>> requests{
      {Request::kSetFeatures, 8},    {Request::kSetMemTable, 8},
      {Request::kSetVringNum, 8},    {Request::kSetVringAddr, 40},
      {Request::kSetVringBase, 8},   {Request::kGetVringBase, 8},
      {Request::kSetVringKick, 8},   {Request::kSetVringCall, 8},
      {Request::kSetVringEnable, 8}, {Request::kSetProtocolFeatures, 8},
      {Request::kSetLogBase, 16}};
  RawVmm vmm(arrive());
  for (const auto& [request, bytes] : requests) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, bytes - 1}) {
      EXPECT_EQ(vmm.verdict(number(request), RawVmm::Bytes(size)), 1U) << number(request);
    }
  }
  expect_beside_is_served();
}

TEST_P(HostileVmm, PayloadsThatAreLongerThanAnyMessage) {
  for (const std::uint32_t size : {5000U, 1U << 20U, 0x80000000U, 0xFFFFFFFFU}) {
    RawVmm vmm(arrive());
    auto head = RawVmm::header(number(Request::kSetFeatures), 0, false);
    head.size = size;
    vmm.send_bytes(std::as_bytes(std::span(&head, 1)));
    EXPECT_TRUE(vmm.ended()) << size;
    expect_beside_is_served();
    expect_next_vmm_is_served();
  }
}

TEST_P(HostileVmm, RingsThatAreNotThere) {
  std::optional<RawVmm> vmm(std::in_place, arrive());
  for (const std::uint64_t index : {5U, 6U, 127U, 255U}) {
    for (const Request request :
         {Request::kSetVringNum, Request::kSetVringBase, Request::kGetVringBase,
          Request::kSetVringEnable, Request::kSetVringAddr}) {
      EXPECT_EQ(vmm->verdict(number(request), RawVmm::payload({index | 256ULL << 32U, 0, 0, 0, 0})),
                1U);
    }
    EXPECT_EQ(vmm->verdict(number(Request::kSetVringKick), RawVmm::payload({index | 0x100U})), 1U);
  }
  vmm.reset();
  RawVmm far(arrive());
  EXPECT_NE(far.verdict(number(Request::kSetVringNum), RawVmm::payload({0xFFFFFFFF})), 0U);
  expect_beside_is_served();
}

TEST_P(HostileVmm, RefusedDescriptorsAreClosed) {
  RawVmm vmm(arrive());
  ASSERT_EQ(vmm.verdict(20, RawVmm::payload({1500})), 1U);
  const std::size_t before = open_files();
  std::array<int, 8> eight{};
  eight.fill(ram_.table_fds().at(0));
  for (int round = 0; round < 20; ++round) {
    for (const std::uint32_t request : {2U, 5U, 6U, 8U, 12U, 13U, 21U, 25U, 31U, 77U}) {
      for (const std::size_t bytes : {std::size_t{0}, std::size_t{40}}) {
        const auto fds = std::span(eight).first(request % 7 + 2);
        ASSERT_TRUE(vmm.verdict(request, RawVmm::Bytes(bytes), fds)) << request << ", " << bytes;
      }
    }
  }
  EXPECT_TRUE(eventually([&] { return open_files() <= before + 8; }))
      << open_files() << ", " << before;
}

/// librte_vhost ends the connection before anybody is asked.
TEST_P(HostileVmm, DescriptorsForRingsThatCannotBeAreClosed) {
  expect_beside_is_served();
  const std::size_t before = open_files();
  std::array<int, 8> eight{};
  eight.fill(ram_.table_fds().at(0));
  for (const std::uint32_t request : {8U, 9U, 10U, 11U, 18U, 32U}) {
    std::optional<RawVmm> vmm;
    const auto said = [&] {
      vmm.emplace(arrive());
      return vmm->send(number(Request::kGetFeatures)) &&
             vmm->socket().receive(driver::Deadline(RawVmm::kPatience)).has_value();
    };
    ASSERT_TRUE(eventually(said));
    vmm->send(request, RawVmm::payload({0xFFFFFFFF, 0, 0, 0, 0}), eight);
    EXPECT_TRUE(vmm->ended());
  }
  EXPECT_TRUE(eventually([&] { return open_files() <= before + 8; }))
      << open_files() << ", " << before;
}

/// The flag that keeps a write from waiting belongs to the open file, and that is the VMM's as
/// well.
TEST_P(HostileVmm, ACallDescriptorThatBlocksHoldsUpNobody) {
  const auto driver = connect();
  const unsigned inflate = driver->queue_number(Role::kInflate).value();
  auto& queue = driver->queue(Role::kInflate);
  const std::uint32_t pfn = 3001;
  std::memcpy(ram_.at(Gpa{24 * kMiB}, sizeof(pfn)).data(), &pfn, sizeof(pfn));
  const auto send_one = [&queue] {
    ASSERT_TRUE(queue.add(std::vector<driver::Segment>{{Gpa{24 * kMiB}, 4, false}}));
    queue.publish();
  };
  const UniqueFd call(::eventfd(0, EFD_CLOEXEC));
  must(driver->front_end().set_vring_call(inflate, call.get()));
  ASSERT_TRUE(eventually([&] { return (::fcntl(call.get(), F_GETFL) & O_NONBLOCK) != 0; }));
  // As full as it gets, whether the call of the ring's start is in there or comes yet.
  const std::uint64_t full = UINT64_MAX - 1;
  const std::uint64_t rest = full - 1;
  if (::write(call.get(), &full, sizeof(full)) < 0) {
    ASSERT_EQ(::write(call.get(), &rest, sizeof(rest)), 8);
  }
  ASSERT_EQ(::fcntl(call.get(), F_SETFL, O_RDWR), 0);
  send_one();
  for (int i = 0; i < 5; ++i) expect_beside_is_served();
  EXPECT_EQ(counter("blocked_calls"), 1U);

  // Once, and not again for a while.
  const UniqueFd another(::eventfd(0, EFD_CLOEXEC));
  must(driver->front_end().set_vring_call(inflate, another.get()));
  send_one();
  const auto all_used = [&queue] {
    static_cast<void>(queue.poll());
    return queue.outstanding() == 0;
  };
  EXPECT_TRUE(eventually(all_used));
  EXPECT_EQ(::fcntl(another.get(), F_GETFL) & O_NONBLOCK, 0) << "it was not taken";
  EXPECT_EQ(counter("blocked_calls"), 1U);
  EXPECT_GE(logged("made a call to its driver block"), 1U);
}

/// A file's pages, a terminal, or a pipe: who writes there may have to wait.
TEST_P(HostileVmm, OtherCallDescriptorsAreNotWrittenTo) {
  const auto driver = connect();
  const unsigned inflate = driver->queue_number(Role::kInflate).value();
  const std::uint32_t pfn = 3001;
  std::memcpy(ram_.at(Gpa{24 * kMiB}, sizeof(pfn)).data(), &pfn, sizeof(pfn));
  const auto file = UniqueFd(::memfd_create("call", MFD_CLOEXEC));
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  for (const int fd : {file.get(), writer.get()}) {
    must(driver->front_end().set_vring_call(inflate, fd));
    auto& queue = driver->queue(Role::kInflate);
    ASSERT_TRUE(queue.add(std::vector<driver::Segment>{{Gpa{24 * kMiB}, 4, false}}));
    queue.publish();
    EXPECT_TRUE(eventually([&] { return queue.poll().has_value(); })) << "served all the same";
  }
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_END), 0);
  std::byte any{};
  EXPECT_EQ(::read(reader.get(), &any, 1), -1) << "nothing was written";
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_GE(logged("neither an eventfd nor a UNIX socket"), 1U);
}

TEST_P(HostileVmm, ComingAndGoing) {
  expect_beside_is_served();
  const std::size_t files = open_files();
  const std::size_t lines = log_lines();
  for (int i = 0; i < rounds(500); ++i) {
    RawVmm vmm(arrive());
    if (i % 3 == 1) vmm.send(number(Request::kGetFeatures));
    if (i % 3 == 2) vmm.send(77, RawVmm::Bytes(40), std::array{ram_.table_fds().at(0)});
  }
  expect_beside_is_served();
  EXPECT_TRUE(eventually([&] { return open_files() == files; }))
      << open_files() << " instead of " << files;
  EXPECT_LE(log_lines(), lines + 60) << "a line for each of 500 connections";
  expect_next_vmm_is_served();
}

TEST_P(HostileVmm, AFloodOfMessages) {
  const std::size_t lines = log_lines();
  RawVmm vmm(arrive());
  RawVmm::Bytes flood;
  for (int i = 0; i < 1000; ++i) {
    const auto head = RawVmm::header(number(Request::kSetOwner), 0, false);
    const auto bytes = std::as_bytes(std::span(&head, 1));
    flood.insert(flood.end(), bytes.begin(), bytes.end());
  }
  for (int round = 0; round < 20; ++round) {
    vmm.send_bytes(flood);
    expect_beside_is_served();
  }
  EXPECT_LE(log_lines(), lines + 60);
}

TEST(ManySockets, ThreeHundredVmms) {
  constexpr std::size_t kVmms = 300;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kVmms; ++i) names.push_back("vm" + std::to_string(i));
  Daemon daemon(names);
  std::vector<std::unique_ptr<RawVmm>> vmms;
  for (const std::string& name : names)
    vmms.push_back(std::make_unique<RawVmm>(daemon.socket(name)));
  for (const auto& vmm : vmms) ASSERT_TRUE(vmm->send(number(Request::kGetFeatures)));
  for (const auto& vmm : vmms) {
    const auto answer = vmm->socket().receive(driver::Deadline(RawVmm::kPatience));
    ASSERT_TRUE(answer) << answer.error().message;
  }
  EXPECT_EQ(daemon.call("device.list", Json::object()).at("devices").size(), kVmms);
  vmms.clear();
  const auto waiting = [&] {
    const Json devices = daemon.call("device.list", Json::object()).at("devices");
    return std::all_of(devices.begin(), devices.end(),
                       [](const Json& device) { return device.at("state") == "waiting"; });
  };
  EXPECT_TRUE(eventually(waiting));
}

}  // namespace
}  // namespace vballoon::model
