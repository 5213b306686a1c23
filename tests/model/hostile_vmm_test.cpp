// SPDX-License-Identifier: BSD-3-Clause
//
// What a VMM may send, or leave unsent: refused or disconnected, while the VMM beside it is
// answered and the daemon neither grows nor says more than a person reads. Every wait for the one
// beside has the front end's deadline of two seconds, not a measured bound. Source: vhost-user
// protocol, "Message Specification".
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "harness/raw_vmm.hpp"

namespace vballoon::model {
namespace {

namespace fs = std::filesystem;
using driver::wire::Request;

/// An address of the front end; nobody looks there.
constexpr std::uint64_t kUser = 0x7f0000000000;

constexpr std::uint32_t number(Request request) {
  return static_cast<std::uint32_t>(request);
}

class HostileVmm : public DaemonTest {
 protected:
  HostileVmm()
      : beside_name_(Lab::get().next_device()),
        beside_(model::connect(daemon_.socket(beside_name_), beside_ram_)) {}

  std::string socket() const { return daemon_.socket(device_); }
  std::size_t open_files() const {
    const fs::directory_iterator all("/proc/" + std::to_string(daemon_.pid()) + "/fd");
    return static_cast<std::size_t>(std::distance(fs::begin(all), fs::end(all)));
  }
  std::size_t log_lines() const {
    const std::string log = daemon_.log();
    return static_cast<std::size_t>(std::count(log.begin(), log.end(), '\n'));
  }
  /// The VMM beside is answered, and its guest served.
  void expect_beside_is_served() {
    EXPECT_TRUE(beside_->front_end().get_config(0, 8));
    must(beside_->inflate(std::vector<Pfn>{Pfn{3000}}));
    must(beside_->deflate(std::vector<Pfn>{Pfn{3000}}));
  }
  /// A VMM that behaves gets the device, if need be after the wait that others brought upon it.
  void expect_next_vmm_is_served() {
    std::unique_ptr<BalloonDriver> next;
    EXPECT_TRUE(eventually([&] {
      try {
        next = connect();
      } catch (const std::runtime_error&) {
        return false;
      }
      return true;
    }));
    if (next == nullptr) return;
    const auto pages = fill(*next);
    must(next->inflate(std::span(pages).first(100)));
    expect_gone_soon(std::span(pages).first(100));
  }
  /// A table of one region, as it should be but for what the test makes of it.
  static RawVmm::Bytes one_region(std::uint64_t gpa, std::uint64_t bytes, std::uint64_t user,
                                  std::uint64_t offset) {
    return RawVmm::payload({1, gpa, bytes, user, offset});
  }
  void expect_table_refused(const RawVmm::Bytes& table, std::span<const int> fds,
                            const std::string& reason) {
    RawVmm vmm(socket());
    EXPECT_EQ(vmm.verdict(number(Request::kSetMemTable), table, fds), 1U) << reason;
    EXPECT_TRUE(eventually([&] { return logged(reason) > 0; })) << reason;
  }

  const std::string beside_name_;
  GuestRam beside_ram_ = must(GuestRam::create(driver::flat_ram(16 * kMiB)));
  std::unique_ptr<BalloonDriver> beside_;
};

TEST_F(HostileVmm, HalfAMessageAndThenSilence) {
  expect_beside_is_served();
  const std::size_t before = open_files();
  for (int round = 0; round < 20; ++round) {
    RawVmm vmm(socket());
    const auto head = RawVmm::header(number(Request::kSetMemTable), 40, false);
    vmm.send_bytes(std::as_bytes(std::span(&head, 1)));
    expect_beside_is_served();
    EXPECT_TRUE(vmm.ended());
  }
  EXPECT_TRUE(eventually([&] { return open_files() == before; }))
      << open_files() << " instead of " << before;
  expect_next_vmm_is_served();
}

TEST_F(HostileVmm, HalfAHeaderAndThenSilence) {
  RawVmm vmm(socket());
  vmm.send_bytes(std::array<std::byte, 5>{});
  expect_beside_is_served();
  EXPECT_TRUE(vmm.ended());
}

TEST_F(HostileVmm, ADeviceCanBeRemovedWhileItsVmmIsSilent) {
  RawVmm vmm(socket());
  const auto head = RawVmm::header(number(Request::kSetFeatures), 8, false);
  vmm.send_bytes(std::as_bytes(std::span(&head, 1)));
  daemon_.call("device.remove", {{"name", device_}});
  EXPECT_TRUE(vmm.ended());
  expect_beside_is_served();
}

TEST_F(HostileVmm, OneThatDoesNotReadItsAnswersIsDisconnected) {
  for (const bool second : {false, true}) {
    std::optional<RawVmm> first;
    if (second) first.emplace(socket());
    RawVmm vmm(socket());
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

TEST_F(HostileVmm, OneThatDoesNotReadConfigChangesBlocksNobody) {
  const auto driver = connect();
  for (unsigned i = 0; i < 2000; ++i) {
    daemon_.call("device.set", {{"name", device_}, {"target_bytes", (i % 2 + 1) * kMiB}});
  }
  expect_beside_is_served();
  must(driver->inflate(std::vector<Pfn>{Pfn{3000}}));
}

TEST_F(HostileVmm, MessagesOfOtherDevicesAreRefused) {
  RawVmm vmm(socket());
  std::vector<std::uint32_t> requests{0,  19, 20, 22, 23, 26, 27, 28, 29,
                                      30, 33, 34, 35, 36, 37, 38, 39, 40};
  requests.insert(requests.end(), {41, 42, 43, 44, 100, 0x7FFFFFFF, 0xFFFFFFFF});
  for (const std::uint32_t request : requests) {
    EXPECT_EQ(vmm.verdict(request, RawVmm::payload({2000, 1, 2, 3, 4})), 1U) << request;
  }
  EXPECT_GE(logged("which is not of this device"), 1U);
  expect_beside_is_served();
}

TEST_F(HostileVmm, AskedForNoAnswerTheConnectionEnds) {
  RawVmm vmm(socket());
  vmm.send(20, RawVmm::payload({1500}));
  EXPECT_TRUE(vmm.ended());
}

TEST_F(HostileVmm, PayloadsThatAreShorterThanTheirRequest) {
  const std::vector<std::pair<Request, std::size_t>> requests{
      {Request::kSetFeatures, 8},    {Request::kSetMemTable, 8},
      {Request::kSetVringNum, 8},    {Request::kSetVringAddr, 40},
      {Request::kSetVringBase, 8},   {Request::kGetVringBase, 8},
      {Request::kSetVringKick, 8},   {Request::kSetVringCall, 8},
      {Request::kSetVringEnable, 8}, {Request::kSetProtocolFeatures, 8},
      {Request::kSetLogBase, 16}};
  RawVmm vmm(socket());
  for (const auto& [request, bytes] : requests) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, bytes - 1}) {
      EXPECT_EQ(vmm.verdict(number(request), RawVmm::Bytes(size)), 1U) << number(request);
    }
  }
  expect_beside_is_served();
}

TEST_F(HostileVmm, PayloadsThatAreLongerThanAnyMessage) {
  for (const std::uint32_t size : {5000U, 1U << 20U, 0x80000000U, 0xFFFFFFFFU}) {
    RawVmm vmm(socket());
    auto head = RawVmm::header(number(Request::kSetFeatures), 0, false);
    head.size = size;
    vmm.send_bytes(std::as_bytes(std::span(&head, 1)));
    EXPECT_TRUE(vmm.ended()) << size;
    expect_beside_is_served();
    expect_next_vmm_is_served();
  }
}

TEST_F(HostileVmm, RingsThatAreNotThere) {
  RawVmm vmm(socket());
  for (const std::uint64_t index : {5U, 6U, 127U, 255U}) {
    for (const Request request :
         {Request::kSetVringNum, Request::kSetVringBase, Request::kGetVringBase,
          Request::kSetVringEnable, Request::kSetVringAddr}) {
      EXPECT_EQ(vmm.verdict(number(request), RawVmm::payload({index | 256ULL << 32U, 0, 0, 0, 0})),
                1U);
    }
    EXPECT_EQ(vmm.verdict(number(Request::kSetVringKick), RawVmm::payload({index | 0x100U})), 1U);
  }
  RawVmm far(socket());
  EXPECT_NE(far.verdict(number(Request::kSetVringNum), RawVmm::payload({0xFFFFFFFF})), 0U);
  expect_beside_is_served();
}

// Five warnings a device in ten seconds are shown, so each of these tests has its own.

TEST_F(HostileVmm, MemoryTablesOfOtherLengthsThanTheySay) {
  const std::array<int, 1> fd{ram_.table_fds().at(0)};
  const std::array<int, 2> two{fd[0], fd[0]};
  const auto good = one_region(0, kMiB, kUser, 0);
  expect_table_refused(good, {}, "1 regions with 0 file");
  expect_table_refused(good, two, "1 regions with 2 file");
  expect_table_refused(RawVmm::payload({2, 0, kMiB, kUser, 0}), two, "2 regions in 40 bytes");
  expect_table_refused(RawVmm::payload({0xFFFFFFFF, 0, kMiB, kUser, 0}), fd, "4294967295 regions");
  expect_next_vmm_is_served();
}

TEST_F(HostileVmm, MemoryRegionsThatWrapAround) {
  const std::array<int, 1> fd{ram_.table_fds().at(0)};
  expect_table_refused(one_region(0, 1ULL << 63U, 1ULL << 63U, 0), fd, "0x8000000000000000 bytes");
  expect_table_refused(one_region(~0xFFFULL, 2 * kPageSize, kUser, 0), fd, "0x2000 bytes");
  expect_table_refused(one_region(0, kMiB, ~0xFFFULL, 0), fd, "0x100000 bytes at 0x0 that wraps");
  expect_table_refused(one_region(0, kMiB / 2, kUser, ~0xFFFULL), fd, "0x80000 bytes at 0x0 that");
  expect_beside_is_served();
  expect_next_vmm_is_served();
}

TEST_F(HostileVmm, MemoryRegionsThatAreNotInTheirFiles) {
  const std::array<int, 1> fd{ram_.table_fds().at(0)};
  const std::array<int, 2> two{fd[0], fd[0]};
  expect_table_refused(one_region(0, 0, kUser, 0), fd, "region of no bytes");
  expect_table_refused(RawVmm::payload({2, 0, kMiB, kUser, 0, kMiB / 2, kMiB, kUser + kMiB, 0}),
                       two, "overlap");
  expect_table_refused(one_region(0, 1ULL << 62U, kUser, 0), fd, "beyond the end of the file");
  const auto last = one_region(0, kMiB, kUser, 31 * kMiB + kPageSize);
  EXPECT_EQ(RawVmm(socket()).verdict(number(Request::kSetMemTable), last, fd), 1U);
  expect_beside_is_served();
  expect_next_vmm_is_served();
}

TEST_F(HostileVmm, MemoryThatIsNone) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const UniqueFd reader(pipe[0]);
  const UniqueFd writer(pipe[1]);
  const UniqueFd proc(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
  const UniqueFd zero(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const auto table = one_region(0, kMiB, kUser, 0);
  expect_table_refused(table, std::array{reader.get()}, "neither a file nor a device");
  expect_table_refused(table, std::array{proc.get()}, "of type proc");
  RawVmm vmm(socket());
  EXPECT_EQ(vmm.verdict(number(Request::kSetMemTable), table, std::array{zero.get()}), 1U);
  expect_beside_is_served();
}

TEST_F(HostileVmm, MemoryThatMayNotBeWritten) {
  const auto table = one_region(0, kMiB, kUser, 0);
  for (const unsigned seal :
       {0U, static_cast<unsigned>(F_SEAL_WRITE), static_cast<unsigned>(F_SEAL_FUTURE_WRITE)}) {
    UniqueFd file(::memfd_create("ram", MFD_ALLOW_SEALING | MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(file.get(), kMiB), 0);
    if (seal != 0) {
      ASSERT_EQ(::fcntl(file.get(), F_ADD_SEALS, seal), 0);
    } else {
      file = UniqueFd(
          ::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY | O_CLOEXEC));
    }
    RawVmm vmm(socket());
    EXPECT_EQ(vmm.verdict(number(Request::kSetMemTable), table, std::array{file.get()}), 1U)
        << seal;
  }
  // Longer than any address space; librte_vhost would lose the descriptor.
  const UniqueFd huge(::memfd_create("ram", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(huge.get(), 1LL << 62U), 0);
  expect_table_refused(one_region(0, 1ULL << 62U, kUser, 0), std::array{huge.get()},
                       "cannot be mapped");
  expect_beside_is_served();
}

TEST_F(HostileVmm, RefusedDescriptorsAreClosed) {
  RawVmm vmm(socket());
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
  EXPECT_TRUE(eventually([&] { return open_files() == before; })) << open_files() << ", " << before;
}

/// librte_vhost ends the connection before anybody is asked.
TEST_F(HostileVmm, DescriptorsForRingsThatCannotBeAreClosed) {
  expect_beside_is_served();
  const std::size_t before = open_files();
  std::array<int, 8> eight{};
  eight.fill(ram_.table_fds().at(0));
  for (const std::uint32_t request : {8U, 9U, 10U, 11U, 18U, 32U}) {
    std::optional<RawVmm> vmm;
    const auto said = [&] {
      vmm.emplace(socket());
      return vmm->send(number(Request::kGetFeatures)) &&
             vmm->socket().receive(driver::Deadline(RawVmm::kPatience)).has_value();
    };
    ASSERT_TRUE(eventually(said));
    vmm->send(request, RawVmm::payload({0xFFFFFFFF, 0, 0, 0, 0}), eight);
    EXPECT_TRUE(vmm->ended());
  }
  EXPECT_TRUE(eventually([&] { return open_files() == before; })) << open_files() << ", " << before;
}

/// The flag that keeps a write from waiting belongs to the open file, and that is the VMM's as
/// well.
TEST_F(HostileVmm, ACallDescriptorThatBlocksHoldsUpNobody) {
  const auto driver = connect();
  const unsigned inflate = driver->queue_number(Role::kInflate).value();
  auto& queue = driver->queue(Role::kInflate);
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
  EXPECT_TRUE(eventually([&] { return queue.poll() && queue.outstanding() == 0; }));
  EXPECT_EQ(::fcntl(another.get(), F_GETFL) & O_NONBLOCK, 0) << "it was not taken";
  EXPECT_EQ(counter("blocked_calls"), 1U);
  EXPECT_GE(logged("made a call to its driver block"), 1U);
}

/// A file's pages, a terminal, or a socket: who writes there may have to wait.
TEST_F(HostileVmm, OtherCallDescriptorsAreNotWrittenTo) {
  const auto driver = connect();
  const unsigned inflate = driver->queue_number(Role::kInflate).value();
  const auto file = UniqueFd(::memfd_create("call", MFD_CLOEXEC));
  auto ends = must(driver::MessageSocket::pair());
  for (const int fd : {file.get(), ends.first.fd()}) {
    must(driver->front_end().set_vring_call(inflate, fd));
    auto& queue = driver->queue(Role::kInflate);
    ASSERT_TRUE(queue.add(std::vector<driver::Segment>{{Gpa{24 * kMiB}, 4, false}}));
    queue.publish();
    EXPECT_TRUE(eventually([&] { return queue.poll().has_value(); })) << "served all the same";
  }
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_END), 0);
  EXPECT_FALSE(ends.second.readable(driver::Deadline(std::chrono::milliseconds(0))));
  EXPECT_GE(logged("neither an eventfd nor a pipe"), 1U);
}

TEST_F(HostileVmm, ComingAndGoing) {
  expect_beside_is_served();
  const std::size_t files = open_files();
  const std::size_t lines = log_lines();
  for (int i = 0; i < 500; ++i) {
    RawVmm vmm(socket());
    if (i % 3 == 1) vmm.send(number(Request::kGetFeatures));
    if (i % 3 == 2) vmm.send(77, RawVmm::Bytes(40), std::array{ram_.table_fds().at(0)});
  }
  expect_beside_is_served();
  EXPECT_TRUE(eventually([&] { return open_files() == files; }))
      << open_files() << " instead of " << files;
  EXPECT_LE(log_lines(), lines + 60) << "a line for each of 500 connections";
  expect_next_vmm_is_served();
}

TEST_F(HostileVmm, AFloodOfMessages) {
  const std::size_t lines = log_lines();
  RawVmm vmm(socket());
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
