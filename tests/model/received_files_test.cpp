// SPDX-License-Identifier: BSD-3-Clause
//
// Descriptors that come with messages which librte_vhost gives up on before it asks anybody: none
// of them stays open in the daemon.
#include <unistd.h>

#include <array>
#include <filesystem>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using driver::Deadline;
using driver::MessageSocket;
using driver::wire::Header;

class ReceivedFiles : public DaemonTest {
 protected:
  [[nodiscard]] std::ptrdiff_t open_files() {
    const std::filesystem::path folder = "/proc/" + std::to_string(daemon_.pid()) + "/fd";
    return std::distance(std::filesystem::directory_iterator(folder), {});
  }

  /// The same message on many connections, the payload as long as it is.
  void send_often(const Header& header, const std::vector<std::byte>& payload, std::size_t files) {
    const auto before = open_files();
    const std::vector<int> fds(files, STDERR_FILENO);
    for (int i = 0; i < 50; ++i) {
      auto socket = must(MessageSocket::connect(daemon_.socket(device_), deadline()));
      static_cast<void>(socket.send(header, payload, fds, deadline()));
    }
    EXPECT_TRUE(eventually([&] { return open_files() <= before; }))
        << before << " files became " << open_files();
    // And one that behaves is served.
    auto driver = connect();
    must(driver->inflate(std::vector<Pfn>{Pfn{4096}, Pfn{4097}}));
  }

  static Deadline deadline() { return Deadline(std::chrono::seconds(5)); }
  static Header header(std::uint32_t request, std::uint32_t size) {
    return {.request = request, .flags = driver::wire::kVersion, .size = size};
  }
};

TEST_F(ReceivedFiles, OfAMessageThatIsTooLong) {
  send_often(header(5, 1U << 20), std::vector<std::byte>(64), 8);
}

TEST_F(ReceivedFiles, OfHalfAMessage) {
  send_often(header(5, 200), std::vector<std::byte>(100), 8);
}

TEST_F(ReceivedFiles, OfAHeaderAlone) {
  send_often(header(13, 8), {}, 1);
}

TEST_F(ReceivedFiles, MoreThanAnyMessageHas) {
  send_often(header(5, 8), std::vector<std::byte>(8), 20);
}

TEST_F(ReceivedFiles, OfARingThatCannotBe) {
  for (const std::uint32_t request : {8U, 9U, 10U, 11U, 18U}) {
    send_often(header(request, 40), std::vector<std::byte>(40, std::byte{0x7F}), 8);
  }
}

TEST_F(ReceivedFiles, OfMoreBuffersInFlightThanRings) {
  send_often(header(32, 24), std::vector<std::byte>(24, std::byte{0x7F}), 1);
  send_often(header(32, 24), std::vector<std::byte>(24), 1);
}

/// Those that are handled keep theirs.
TEST_F(ReceivedFiles, OfMessagesThatAreRight) {
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

}  // namespace
}  // namespace vballoon::model
