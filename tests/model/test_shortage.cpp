// SPDX-License-Identifier: BSD-3-Clause
//
// A daemon without a free file descriptor: it says so, answers, waits, and serves who is there.
// Source: getrlimit(2), RLIMIT_NOFILE.
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "harness/raw_vmm.hpp"

namespace vballoon::model {
namespace {

namespace fs = std::filesystem;
using driver::Deadline;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Shortage : public ::testing::Test {
 protected:
  static constexpr std::size_t kClients = 3;

  ~Shortage() override { raise_limit(); }

  /// By number, once the daemon has closed its reserve again.
  std::set<rlim_t> open_files() const {
    std::this_thread::sleep_for(milliseconds(300));
    std::set<rlim_t> files;
    for (const auto& entry : fs::directory_iterator(process() / "fd")) {
      files.insert(std::stoul(entry.path().filename().string()));
    }
    return files;
  }
  fs::path process() const { return "/proc/" + std::to_string(daemon_.pid()); }

  void limit(rlim_t most) {
    rlimit now{};
    ASSERT_EQ(::prlimit(daemon_.pid(), RLIMIT_NOFILE, nullptr, &now), 0);
    if (before_.rlim_max == 0) before_ = now;
    now.rlim_cur = most;
    ASSERT_EQ(::prlimit(daemon_.pid(), RLIMIT_NOFILE, &now, nullptr), 0);
  }
  void raise_limit() {
    if (before_.rlim_max != 0) ::prlimit(daemon_.pid(), RLIMIT_NOFILE, &before_, nullptr);
  }
  /// A limit below which three are free, and three RPC clients that take them.
  void leave_none() {
    const auto files = open_files();
    std::size_t free = 0;
    rlim_t most = 0;
    for (; free < kClients; ++most) free += files.contains(most) ? 0U : 1U;
    limit(most);
    for (std::size_t i = 0; i < kClients; ++i) {
      auto client = rpc::Client::connect(rpc_path());
      ASSERT_TRUE(client && client->call("device.list", Json::object(), seconds(5)));
      clients_.push_back(*std::move(client));
    }
    const auto now = open_files();
    for (rlim_t i = 0; i < most; ++i) ASSERT_TRUE(now.contains(i)) << i << " is free";
  }
  std::string rpc_path() const { return (daemon_.folder() / "rpc").string(); }
  bool says(const std::string& what) const { return daemon_.log().find(what) != std::string::npos; }
  /// Cpu time of librte_vhost's event thread, in ticks of the clock. Later DPDK names it otherwise.
  long event_ticks() const {
    for (const auto& task : fs::directory_iterator(process() / "task")) {
      std::string line;
      std::getline(std::ifstream(task.path() / "stat"), line);
      const auto is = [&line](const char* name) { return line.find(name) != std::string::npos; };
      if (!is("(vhost-events)") && !is("(dpdk-vhost-evt)")) continue;
      std::istringstream rest(line.substr(line.rfind(')') + 2));
      std::string skipped;
      long user = 0;
      long system = 0;
      for (int i = 0; i < 11; ++i) rest >> skipped;
      rest >> user >> system;
      return user + system;
    }
    ADD_FAILURE() << "no event thread";
    return 0;
  }

  GuestRam ram_ = must(GuestRam::create(driver::flat_ram(32 * kMiB)));
  rlimit before_{};
  Daemon daemon_{{"vm", "late", "dialled=client"}};
  std::vector<rpc::Client> clients_;
};

TEST_F(Shortage, IsNamedAndCostsNobodyWhatHeHas) {
  const auto driver = connect(daemon_.socket("vm"), ram_);
  const auto pages = usable_pages(ram_, *driver);
  must(driver->inflate(std::span(pages).first(1000)));
  leave_none();

  auto another = rpc::Client::connect(rpc_path());
  ASSERT_TRUE(another);
  EXPECT_TRUE(another->call("device.list", Json::object(), seconds(5))) << "one more is served";

  const long ticks = event_ticks();
  const auto until = std::chrono::steady_clock::now() + milliseconds(500);
  RawVmm waits(daemon_.socket("late"));
  ASSERT_TRUE(waits.send(kGetFeatures));
  std::this_thread::sleep_until(until);
  EXPECT_LT(event_ticks() - ticks, ::sysconf(_SC_CLK_TCK) / 4) << "it spins";
  EXPECT_TRUE(
      says("late: a VMM wants to connect and waits: the daemon has no file descriptor left"));
  EXPECT_EQ(daemon_.show("late").at("state"), "waiting");
  EXPECT_FALSE(says("because of what it sent"));

  // All eight regions, each of which brings a descriptor.
  for (unsigned i = 1; i < wire::kMaxRegions; ++i) {
    must(ram_.plug(Gpa{i * kGiB}, 2 * kMiB));
  }
  must(driver->update_memory());
  const Json device = daemon_.show("vm");
  EXPECT_EQ(device.at("ballooned_bytes"), pages_to_bytes(1000));
  EXPECT_EQ(device.at("table_bytes"), 46 * kMiB);
  EXPECT_EQ(device.at("state"), "running");
  must(driver->deflate(std::span(pages).first(500)));

  raise_limit();
  EXPECT_TRUE(waits.socket().receive(Deadline(RawVmm::kPatience))) << "it is served now";
  waits.socket().close();
  const auto late_ram = must(GuestRam::create(driver::flat_ram(16 * kMiB)));
  const auto late = connect(daemon_.socket("late"), late_ram);
  must(late->inflate(std::vector<Pfn>{Pfn{3000}}));
}

/// Even the reserve is used up: the table is not taken, and that is said, but the balloon is kept.
TEST_F(Shortage, ATableThatCannotBeTakenCostsNoBalloon) {
  const auto driver = connect(daemon_.socket("vm"), ram_);
  const auto pages = usable_pages(ram_, *driver);
  must(driver->inflate(std::span(pages).first(1000)));
  // poll(2) wants a limit above the number of its descriptors.
  const auto files = open_files();
  rlim_t most = 0;
  while (files.contains(most)) ++most;
  ASSERT_GE(most, 16U);
  limit(16);
  must(ram_.plug(Gpa{kGiB}, 2 * kMiB));
  EXPECT_FALSE(driver->update_memory());
  EXPECT_TRUE(says("message 5 could not be taken: the daemon has no file descriptor left"));
  Json device = daemon_.show("vm");
  EXPECT_EQ(device.at("ballooned_bytes"), pages_to_bytes(1000));
  EXPECT_NE(device.at("reason").get<std::string>().find("could not be taken"), std::string::npos);
  raise_limit();
  must(driver->update_memory());
  device = daemon_.show("vm");
  EXPECT_EQ(device.at("ballooned_bytes"), pages_to_bytes(1000));
  EXPECT_EQ(device.at("state"), "running");
  must(driver->deflate(std::span(pages).first(1000)));
}

TEST_F(Shortage, IsOverForAVmmThatListensToo) {
  auto listener = must(driver::Listener::bind(daemon_.socket("dialled")));
  auto first = must(listener.accept(Deadline(seconds(10))));
  leave_none();
  first.close();
  { const RawVmm turned_away(must(listener.accept(Deadline(seconds(10))))); }
  raise_limit();
  EXPECT_TRUE(eventually([&] {
    auto next = listener.accept(Deadline(seconds(10)));
    if (!next) return false;
    RawVmm vmm(*std::move(next));
    return vmm.send(1) && vmm.socket().receive(Deadline(seconds(5))).has_value();
  }));
  EXPECT_FALSE(says("because of what it sent"));
}

}  // namespace
}  // namespace vballoon::model
