// SPDX-License-Identifier: BSD-3-Clause
//
// What librte_vhost forgets, to be had by any VMM as often as it likes: descriptors that come with
// messages which it gives up on before it asks anybody, and what it allocated for rings. All VMs of
// the daemon live on the same.
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using driver::Deadline;
using driver::MessageSocket;
using wire::Header;
using wire::Request;

class Forgotten : public DaemonTest {
 protected:
  [[nodiscard]] std::ptrdiff_t open_files() {
    const std::filesystem::path folder = "/proc/" + std::to_string(daemon_.pid()) + "/fd";
    return std::distance(std::filesystem::directory_iterator(folder), {});
  }

  /// These messages, over and over, each on a connection of its own, the payload as long as it is.
  void send_often(const std::vector<Header>& headers, const std::vector<std::byte>& payload,
                  std::size_t files) {
    constexpr int kMessages = 8;
    send(headers[0], payload, files);  // what the daemon opens once, it has opened after this
    const auto before = open_files();
    for (int i = 0; i < kMessages; ++i) {
      send(headers[static_cast<std::size_t>(i) % headers.size()], payload, files);
    }
    // A thread that takes a slow lcore over opens some more; each message would leave one at least.
    EXPECT_TRUE(eventually([&] { return open_files() <= before + kMessages / 2; }))
        << before << " files became " << open_files();
    // And one that behaves is served.
    auto driver = connect();
    must(driver->inflate(std::vector<Pfn>{Pfn{4096}, Pfn{4097}}));
  }

  /// The daemon reads it: a device turns all VMMs away for 250 ms after it disconnected one because
  /// of what that one sent.
  void send(const Header& header, const std::vector<std::byte>& payload, std::size_t files) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const std::vector<int> fds(files, STDERR_FILENO);
    auto socket = must(MessageSocket::connect(daemon_.socket(device_), deadline()));
    must(socket.send(header, payload, fds, deadline()));
  }

  static Deadline deadline() { return Deadline(std::chrono::seconds(5)); }
  static Header header(Request request, std::uint32_t size) {
    return {.request = static_cast<std::uint32_t>(request), .flags = wire::kVersion, .size = size};
  }
};

TEST_F(Forgotten, FilesOfAMessageThatIsTooLong) {
  send_often({header(Request::kSetMemTable, 1U << 20)}, std::vector<std::byte>(64), 8);
}

TEST_F(Forgotten, FilesOfHalfAMessage) {
  send_often({header(Request::kSetMemTable, 200)}, std::vector<std::byte>(100), 8);
}

TEST_F(Forgotten, FilesOfAHeaderAlone) {
  send_often({header(Request::kSetVringCall, 8)}, {}, 1);
}

TEST_F(Forgotten, MoreFilesThanAnyMessageHas) {
  send_often({header(Request::kSetMemTable, 8)}, std::vector<std::byte>(8), 20);
}

TEST_F(Forgotten, FilesOfARingThatCannotBe) {
  std::vector<Header> headers;
  for (const Request request :
       {Request::kSetVringNum, Request::kSetVringAddr, Request::kSetVringBase,
        Request::kGetVringBase, Request::kSetVringEnable})
    headers.push_back(header(request, 40));
  send_often(headers, std::vector<std::byte>(40, std::byte{0x7F}), 8);
}

TEST_F(Forgotten, FilesOfMoreBuffersInFlightThanRings) {
  send_often({header(Request::kSetInflightFd, 24)}, std::vector<std::byte>(24, std::byte{0x7F}), 1);
  send_often({header(Request::kSetInflightFd, 24)}, std::vector<std::byte>(24), 1);
}

/// Those that are handled keep theirs.
TEST_F(Forgotten, FilesOfMessagesThatAreRight) {
  for (int i = 0; i < 10; ++i) {
    auto driver = connect();
    const auto pages = usable_pages(ram_, *driver);
    must(driver->inflate(std::span(pages).first(300)));
    must(driver->pause());
    must(driver->resume());
    must(driver->deflate(std::span(pages).first(300)));
    expect_no_violations(*driver);
  }
}

/// RESET_OWNER. Some megabytes a time, of the 64 that DPDK has.
TEST_F(Forgotten, MemoryOfRingsWhoseOwnerIsReset) {
  DriverOptions options;
  options.queue_size = 32768;
  options.arena_bytes = 24 * kMiB;
  options.indirect = driver::Indirect::kNever;
  for (int i = 0; i < 40; ++i) {
    auto driver = connect(options);
    must(driver->front_end().tell(wire::Request::kResetOwner, {}));
  }
  auto driver = connect(options);
  must(driver->inflate(std::vector<Pfn>{Pfn{8000}, Pfn{8001}}));
  expect_ballooned(2);
}

/// It is answered and does nothing, which the protocol recommends: the rings go on.
TEST_F(Forgotten, AResetOfTheOwnerChangesNothing) {
  auto driver = connect();
  const std::vector<Pfn> some{Pfn{8000}, Pfn{8001}};
  must(driver->inflate(some));
  must(driver->front_end().tell(wire::Request::kResetOwner, {}));
  expect_ballooned(2);
  must(driver->deflate(some));
  must(driver->pause());
  must(driver->resume());
  must(driver->inflate(some));
  must(driver->reset());
  must(driver->inflate(some));
  expect_ballooned(2);
  expect_no_violations(*driver);
}

}  // namespace
}  // namespace vballoon::model
