// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/hostile_vmm.hpp - a device for a VMM that means ill, and a VM beside it that
// has to be served all the same. Every wait for that one has the front end's deadline of two
// seconds, not a measured bound. Each test runs in both modes: the daemon listens, or the VMM does.
#pragma once

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <thread>

#include "raw_vmm.hpp"

namespace vballoon::model {

using wire::Request;

/// An address of the front end; nobody looks there.
inline constexpr std::uint64_t kUser = 0x7f0000000000;

constexpr std::uint32_t number(Request request) {
  return static_cast<std::uint32_t>(request);
}

enum class Mode { kServer, kClient };

inline std::string mode_name(const ::testing::TestParamInfo<Mode>& info) {
  return info.param == Mode::kServer ? "Server" : "Client";
}

class HostileVmm : public DaemonTest, public ::testing::WithParamInterface<Mode> {
 protected:
  HostileVmm()
      : DaemonTest(client() ? Lab::get().next_client_device() : Lab::get().next_device()),
        beside_name_(Lab::get().next_device()),
        beside_(model::connect(daemon_.socket(beside_name_), beside_ram_)) {
    if (client()) listener_.emplace(must(driver::Listener::bind(daemon_.socket(device_))));
  }

  static bool client() { return GetParam() == Mode::kClient; }
  /// How often a VMM comes: in client mode the daemon connects once a second.
  static int rounds(int in_server_mode) { return client() ? 2 : in_server_mode; }
  /// A new connection to the device.
  driver::MessageSocket arrive() {
    const driver::Deadline deadline(std::chrono::seconds(10));
    return must(client() ? listener_->accept(deadline)
                         : driver::MessageSocket::connect(daemon_.socket(device_), deadline));
  }
  std::unique_ptr<BalloonDriver> connect(const DriverOptions& options = {}) {
    if (!client()) return DaemonTest::connect(options);
    return must(BalloonDriver::start(arrive(), ram_, of_this_run(options)));
  }
  /// When the daemon has closed its reserve again, which it opens for a message.
  std::size_t open_files() const {
    namespace fs = std::filesystem;
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
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
    RawVmm vmm(arrive());
    EXPECT_EQ(vmm.verdict(number(Request::kSetMemTable), table, fds), 1U) << reason;
    EXPECT_TRUE(eventually([&] { return logged(reason) > 0; })) << reason;
  }

  const std::string beside_name_;
  GuestRam beside_ram_ = must(GuestRam::create(driver::flat_ram(16 * kMiB)));
  std::unique_ptr<BalloonDriver> beside_;
  std::optional<driver::Listener> listener_;  // in client mode
};

}  // namespace vballoon::model
