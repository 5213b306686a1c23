// SPDX-License-Identifier: BSD-3-Clause
//
// As many VMs as one daemon serves, all at once; and what it says to one more.
#include <sys/resource.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "harness/fixture.hpp"
#include "harness/raw_vmm.hpp"

namespace vballoon::model {
namespace {

constexpr std::size_t kVms = 1000;

std::string name_of(std::size_t i) {
  return "vm" + std::to_string(i);
}

/// Rings for inflate and deflate alone: few descriptors on either side.
DriverOptions small() {
  DriverOptions options;
  options.features =
      all_but({wire::Feature::kStatsVq, wire::Feature::kFreePageHint, wire::Feature::kReporting});
  options.arena_bytes = 256 * kKiB;
  options.timeout = std::chrono::seconds(20);
  return options;
}

/// Its own, for as many front ends.
void raise_limit() {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  ASSERT_GE(limit.rlim_cur, 16U * kVms) << "raise the limit of open files (ulimit -n)";
}

TEST(Scale, AThousandVmsAreServedAtOnceAndOneMoreIsRefused) {
  raise_limit();
  const TemporaryFolder folder;
  const auto socket = [&](std::size_t i) { return (folder.path() / name_of(i)).string(); };
  std::string config;
  for (std::size_t i = 0; i < kVms; ++i) {
    config += "[[device]]\nname = \"" + name_of(i) + "\"\nsocket = \"" + socket(i) + "\"\n";
  }
  std::optional<Daemon> running(std::in_place, std::vector<std::string>{}, config);
  Daemon& daemon = *running;
  const auto refused =
      daemon.try_call("device.add", {{"name", "one-more"}, {"socket", socket(kVms)}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("it serves 1000 devices"), std::string::npos)
      << refused.error().message;
  EXPECT_FALSE(std::filesystem::exists(socket(kVms)));

  std::vector<GuestRam> rams;
  rams.reserve(kVms);
  std::vector<std::unique_ptr<BalloonDriver>> drivers;
  for (std::size_t i = 0; i < kVms; ++i) {
    rams.push_back(must(GuestRam::create(driver::flat_ram(kMiB))));
    drivers.push_back(connect(socket(i), rams.back(), small()));
  }
  for (std::size_t i = 0; i < kVms; ++i) {
    const auto pages = usable_pages(rams[i], *drivers[i]);
    must(drivers[i]->inflate(std::span(pages).first(1 + i % 7)));
  }
  Json devices;
  const auto holds = [&](std::size_t i) {
    return devices[i].at("ballooned_bytes") == pages_to_bytes(1 + i % 7);
  };
  // A poll lcore shows its counts at the end of a pass, after it has published the buffers.
  EXPECT_TRUE(eventually([&] {
    devices = daemon.call("device.list", Json::object()).at("devices");
    return devices.size() == kVms && holds(kVms - 1);
  }));
  ASSERT_EQ(devices.size(), kVms);
  for (std::size_t i = 0; i < kVms; ++i) {
    ASSERT_EQ(devices[i].at("state"), "running") << name_of(i);
    ASSERT_EQ(devices[i].at("ballooned_bytes"), pages_to_bytes(1 + i % 7)) << name_of(i);
  }
  // VMMs that come back have room beside those that are still there: a few at once.
  for (std::size_t i = 0; i < 50; ++i) {
    drivers[i].reset();
    drivers[i] = connect(socket(i), rams[i], small());
  }
  EXPECT_EQ(daemon.log().find("because of what it sent"), std::string::npos);
  // It ends, and leaves nothing, with all of them connected.
  running.reset();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Scale, VmmsThatFindNoRoomWaitForItAndTheHostsLimitIsNamed) {
  raise_limit();
  constexpr std::size_t kDevices = 20;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kDevices; ++i) names.push_back(name_of(i));
  // 490 more that connect to VMMs of their own take the room of 980.
  std::string config;
  for (std::size_t i = 0; i < 490; ++i) {
    config += "[[device]]\nname = \"client" + std::to_string(i) +
              "\"\nmode = \"client\"\nsocket = \"/nonexistent/" + std::to_string(i) + "\"\n";
  }
  Daemon daemon(names, config);
  // Two VMMs for each device, where there is room for a few second ones.
  std::vector<std::unique_ptr<RawVmm>> vmms;
  for (int round = 0; round < 2; ++round) {
    for (const std::string& name : names) {
      vmms.push_back(std::make_unique<RawVmm>(daemon.socket(name)));
    }
  }
  EXPECT_TRUE(eventually([&] {
    return daemon.log().find("librte_vhost has no room") != std::string::npos;
  })) << daemon.log();
  EXPECT_EQ(daemon.log().find("because of what it sent"), std::string::npos);
  // The first ones go, and those that waited are served.
  vmms.erase(vmms.begin(), vmms.begin() + kDevices);
  for (const auto& vmm : vmms) {
    ASSERT_TRUE(vmm->send(kGetFeatures));
    EXPECT_TRUE(vmm->socket().receive(driver::Deadline(RawVmm::kPatience)));
  }
}

TEST(Scale, AsManyDevicesAsThereMayBeDescriptorsFor) {
  Daemon daemon({"vm"}, "");
  const rlimit few{.rlim_cur = 200, .rlim_max = 200};
  ASSERT_EQ(::prlimit(daemon.pid(), RLIMIT_NOFILE, &few, nullptr), 0);
  std::size_t added = 0;
  rpc::Outcome<Json> last = Json();
  for (; added < 20; ++added) {
    last =
        daemon.try_call("device.add", {{"name", "more" + std::to_string(added)},
                                       {"socket", daemon.socket("more" + std::to_string(added))}});
    if (!last) break;
  }
  ASSERT_FALSE(last);
  EXPECT_GT(added, 0U);
  EXPECT_NE(last.error().message.find("file descriptors, and its limit is 200; raise it"),
            std::string::npos)
      << last.error().message;
}

}  // namespace
}  // namespace vballoon::model
