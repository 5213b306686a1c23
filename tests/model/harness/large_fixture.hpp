// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/large_fixture.hpp - a balloon of large pages of the daemon, a guest's RAM,
// and what to check (docs/device-13.md).
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "driver/large_balloon_driver.hpp"
#include "driver/large_pool.hpp"
#include "fixture.hpp"

namespace vballoon::model {

using driver::LargeBalloonDriver;
using driver::LargeOptions;
using driver::LargePage;
using wire::large::Header;
using wire::large::MessageType;

inline constexpr unsigned kSmallShift = 12;
inline constexpr unsigned kLargeShift = 21;
inline constexpr std::uint64_t kLargeBytes = std::uint64_t{1} << kLargeShift;
/// They are added at run time, as large ones.
inline const std::vector<std::string> kNoDevices;
/// Where the first page of 2 MiB may be: the driver's own memory lies below.
inline constexpr std::uint64_t kFirstLarge = 2 * kMiB;

/// All features but these of device 13.
[[nodiscard]] inline std::uint64_t all_but_large(
    const std::vector<wire::large::Feature>& features) {
  std::uint64_t without = 0;
  for (const auto feature : features) without |= std::uint64_t{1} << static_cast<unsigned>(feature);
  return ~without;
}
/// VIRTIO-28 as it was proposed: no bit of the device's own.
inline constexpr std::uint64_t kPlainForm = ~((std::uint64_t{1} << wire::large::kFeatures) - 1);

/// So many pages of 2 MiB from the n-th on; page 0 is the driver's own.
[[nodiscard]] inline std::vector<Gpa> large_pages(std::uint64_t first, std::uint64_t count) {
  std::vector<Gpa> pages;
  for (std::uint64_t i = 0; i < count; ++i) pages.push_back(Gpa{(first + i) << kLargeShift});
  return pages;
}
/// So many pages of 4 KiB from this address on.
[[nodiscard]] inline std::vector<Gpa> small_pages_at(std::uint64_t address, std::uint64_t count) {
  std::vector<Gpa> pages;
  for (std::uint64_t i = 0; i < count; ++i) pages.push_back(Gpa{address + i * kPageSize});
  return pages;
}
[[nodiscard]] inline std::vector<Pfn> pfns_of(std::span<const Gpa> pages, unsigned shift) {
  std::vector<LargePage> large;
  for (const Gpa page : pages) large.push_back({page, shift});
  return driver::small_pages(large);
}

/// A message of todevq, byte by byte.
[[nodiscard]] inline std::vector<std::byte> message(Header header,
                                                    std::span<const std::byte> body = {}) {
  const auto head = std::as_bytes(std::span(&header, 1));
  std::vector<std::byte> bytes(head.begin(), head.end());
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}
[[nodiscard]] inline std::vector<std::byte> pages_message(unsigned shift,
                                                          std::span<const Gpa> pages,
                                                          MessageType type = MessageType::kPages) {
  return message({.type = type, .shift = static_cast<std::uint8_t>(shift)}, std::as_bytes(pages));
}

/// The device stands in place of one of the lab's.
class LargeTest : public DaemonTest {
 protected:
  explicit LargeTest(const std::string& page_sizes = "4K,2M") { offer(page_sizes); }

  /// @pre  Nobody is connected.
  void offer(const std::string& page_sizes, const Json& more = Json::object()) {
    Json settings{{"name", device_},
                  {"socket", daemon_.socket(device_)},
                  {"kind", "large"},
                  {"page_sizes", page_sizes}};
    settings.update(more);
    daemon_.call("device.remove", {{"name", device_}});
    daemon_.call("device.add", settings);
  }
  [[nodiscard]] std::unique_ptr<LargeBalloonDriver> connect(const LargeOptions& options = {}) {
    return start_once_free<LargeBalloonDriver>(daemon_.socket(device_), ram_, options);
  }
  [[nodiscard]] std::uint64_t ballooned_bytes() {
    return show().at("ballooned_bytes").get<std::uint64_t>();
  }
  void expect_ballooned_bytes(std::uint64_t bytes) {
    static_cast<void>(eventually([&] { return ballooned_bytes() == bytes; }));
    EXPECT_EQ(ballooned_bytes(), bytes) << "in the ledger";
  }
  void set_target(std::uint64_t bytes) {
    daemon_.call("device.set", {{"name", device_}, {"target_bytes", bytes}});
  }
  /// Everything that is not the driver's own, filled with canaries.
  std::vector<Pfn> fill_large(const LargeBalloonDriver& driver) {
    std::vector<Pfn> pages = ram_.pages();
    std::erase_if(pages, [&driver](Pfn pfn) { return driver.arena().holds(pfn); });
    driver::fill_canaries(ram_, pages, 1);
    return pages;
  }
  /// Serves until the driver has this target.
  static bool hears(LargeBalloonDriver& driver, std::uint64_t units) {
    const driver::Deadline deadline(std::chrono::seconds(2));
    const auto there = [&] { return driver.target() && driver.target()->units == units; };
    while (!there() && !deadline.passed()) {
      static_cast<void>(must(driver.serve(driver::Deadline(std::chrono::milliseconds(20)))));
    }
    return there();
  }
};

}  // namespace vballoon::model
