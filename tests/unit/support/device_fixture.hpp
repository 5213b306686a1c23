// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/support/device_fixture.hpp - a whole device in one process: guest memory, a driver's
//                                         rings and interrupts, and a host that only takes notes.
// Nothing here waits for a clock: a test says with the ages of its window whether pages that wait
// for neighbours go at the next pass, or never.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/unique_fd.hpp"
#include "datapath/data_path.hpp"
#include "support/driver_ring.hpp"
#include "support/fake_discarder.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::datapath {

using wire::Role;

/// Of a device that offers what the specification has; MESSAGE_VQ is of others.
inline constexpr std::array<Role, wire::kQueues> kAllRoles{
    Role::kInflate, Role::kDeflate, Role::kStats, Role::kHint, Role::kReport};

/// Whatever is gathered goes with the next pass.
inline constexpr reclaim::ReclaimLimits kAtOnce{.ages = {.longest_us = 0, .long_runs_us = 0}};
/// Whatever is gathered waits until its block is complete, or somebody waits for it.
inline constexpr reclaim::ReclaimLimits kNever{
    .ages = {.longest_us = UINT32_MAX, .long_runs_us = UINT32_MAX}};

class DeviceFixture {
 public:
  // Guest memory: 0 to 64 MiB, where rings and buffers live, and 128 to 384 MiB behind a hole. The
  // file is sparse: what no test touches costs nothing.
  static constexpr std::uint64_t kLowBytes = 64 * kMiB;
  static constexpr std::uint64_t kHighFirst = 128 * kMiB;
  static constexpr std::uint64_t kHighBytes = 256 * kMiB;
  static constexpr std::uint64_t kHighInFile = 96 * kMiB;

  /// Discards inline, over discarder(). MUST_TELL_HOST is not negotiated: see driver_tells().
  /// @param large  of a device 13; its limits name sizes then.
  explicit DeviceFixture(unsigned ring_size = 64, reclaim::ReclaimLimits limits = kAtOnce,
                         const std::optional<wire::large::Config>& large = std::nullopt);
  explicit DeviceFixture(reclaim::ReclaimLimits limits) : DeviceFixture(64, limits) {}

  /// Where buffers may be put: 2 MiB of guest memory for each role.
  [[nodiscard]] static Gpa buffers(Role role) {
    return Gpa{16 * kMiB + static_cast<std::uint64_t>(role) * 2 * kMiB};
  }
  /// The n-th page of the memory behind the hole, which no ring and no buffer uses.
  [[nodiscard]] static std::uint32_t page(std::uint64_t n) {
    return static_cast<std::uint32_t>(kHighFirst / kPageSize + n);
  }
  [[nodiscard]] static std::uint64_t file_page(std::uint32_t page) {
    return page - kHighFirst / kPageSize + kHighInFile / kPageSize;
  }

  void start(Role role, std::uint16_t position = 0, bool resumed = false);
  void start_all();
  [[nodiscard]] QueueSetup setup_of(Role role, std::uint16_t position, bool resumed);

  /// MUST_TELL_HOST is negotiated: inflate buffers are used early.
  void driver_tells();
  /// Back to discarding inline, after a sink of the test's own. @pre nothing is in flight.
  void use_own_sink() { path_.set_sink(sink_); }

  [[nodiscard]] test::GuestRam& ram() { return ram_; }
  [[nodiscard]] test::DriverRing& ring(Role role) { return *rings_[index(role)]; }
  [[nodiscard]] test::FakeDiscarder& discarder() { return discarder_; }
  [[nodiscard]] datapath::ConfigSpace& config() { return config_; }
  [[nodiscard]] DataPath& path() { return path_; }
  [[nodiscard]] const DeviceCounters& counters() const { return path_.counters(); }
  [[nodiscard]] const reclaim::ReclaimCounters& reclaimed() const {
    return path_.reclaim_counters();
  }

  /// Writes page numbers into guest memory. @return the buffer.
  test::Piece put_pfns(Gpa at, const std::vector<std::uint32_t>& pfns);
  /// Page numbers as one buffer of one descriptor, offered as `head`.
  void send_pfns(Role role, std::uint16_t head, const std::vector<std::uint32_t>& pfns);

  /// Calls of the driver since the last time.
  [[nodiscard]] std::uint64_t take_calls(Role role);

  /// Polls until there is nothing more to do; what the window keeps stays there. @return passes
  /// that worked.
  unsigned poll_until_idle();

  /// File pages of the memory behind the hole.
  [[nodiscard]] static std::set<std::uint64_t> file_pages(const std::vector<std::uint32_t>& pages);

 private:
  [[nodiscard]] static std::size_t index(Role role) { return static_cast<std::size_t>(role); }

  test::GuestRam ram_;
  std::array<std::unique_ptr<test::DriverRing>, wire::kRoles> rings_;
  std::array<UniqueFd, wire::kRoles> call_fds_;
  test::FakeDiscarder discarder_;
  reclaim::InlineSink sink_{discarder_};
  datapath::ConfigSpace config_;
  DataPath path_;
};

/// `count` page numbers from page(first) on.
[[nodiscard]] std::vector<std::uint32_t> pages_from(std::uint64_t first, std::uint64_t count);

}  // namespace vballoon::datapath
