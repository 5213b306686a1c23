// SPDX-License-Identifier: BSD-3-Clause
//
// How vballoond ends when it cannot start: 2 and the place of the fault where the next start would
// end the same way (the unit does not try again then), 1 where it may go better.
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>

#include "base/unique_fd.hpp"
#include "harness/fixture.hpp"
#include "harness/program.hpp"

namespace vballoon::model {
namespace {

/// A configuration, and how the complaint begins.
struct Wrong {
  const char* name;
  std::string config;
  std::string place;
  std::string message;  ///< what it also has to say
};

class StartErrors : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path() / name; }

  static Ended type(const std::vector<std::string>& options) {
    std::vector<std::string> words{program_in("VBALLOOND"), "--dev"};
    words.insert(words.end(), options.begin(), options.end());
    return Program(words).end();
  }
  Ended start(const std::string& config, const std::vector<std::string>& more = {}) {
    std::ofstream(path("toml")) << config;
    std::vector<std::string> options{"--config", path("toml"), "--rpc", path("rpc")};
    options.insert(options.end(), more.begin(), more.end());
    return type(options);
  }
  static void expect(const Ended& ended, int status, const std::string& begin,
                     const std::string& message) {
    EXPECT_EQ(ended.status, status) << ended.output;
    EXPECT_NE(ended.output.find("vballoond: " + begin), std::string::npos)
        << begin << " is not in: " << ended.output;
    EXPECT_NE(ended.output.find(message), std::string::npos) << ended.output;
  }

  TemporaryFolder folder_;
};

class ConfigurationAtStart : public StartErrors, public ::testing::WithParamInterface<Wrong> {};

TEST_P(ConfigurationAtStart, ExitsWith2AndNamesFileAndLine) {
  const Wrong& wrong = GetParam();
  expect(start(wrong.config), 2, path("toml") + wrong.place, wrong.message);
}

std::string device(const std::string& name, const std::string& socket) {
  return "[[device]]\nname = \"" + name + "\"\nsocket = \"" + socket + "\"\n";
}

const Wrong kWrong[] = {
    {"UnknownKey", "[poll]\n\nlcore = []\n", ":3: ", "unknown key"},
    {"DeviceName", device("a b", "/tmp/vb-x.sock"), ":2: ", "'a b' is no device name"},
    {"LongSocket", device("a", "/tmp/" + std::string(120, 'x')), ":3: ", "is 125 bytes long"},
    {"UnknownGroup", "[daemon]\nsocket_group = \"no such group\"\n",
     ":2: ", "daemon.socket_group: there is no group 'no such group'"},
    {"UnknownRpcGroup", "[daemon]\n\nrpc_group = \"no such group\"\n", ":3: ", "daemon.rpc_group"},
    {"UnknownGroupOfADevice", device("a", "/tmp/vb-x.sock") + "group = \"no such group\"\n",
     ":4: ", "device.group: there is no group"},
    {"AbsentCpu", "[poll]\nlcores = [1000]\n", ":2: ", "poll.lcores: cpu 1000 is not among"},
    {"AbsentReclaimCpu", "[reclaim]\nlcores = [1000]\n", ":2: ", "reclaim.lcores: cpu 1000"},
    {"AbsentMainCpu", "[eal]\nmain_lcore = 1000\n", ":2: ", "eal.main_lcore: cpu 1000"},
    {"OnlyNeighbours", "[placement]\nneighbours = \"0-1023\"\n", ":2: ", "leaves none of the cpus"},
    {"MissingCgroup", "[policy]\ncgroup = \"/sys/fs/cgroup/no/such\"\n",
     ":2: ", "there is no cgroup /sys/fs/cgroup/no/such"},
    {"NoMemoryCgroup", "[policy]\ncgroup = \"/tmp\"\n",
     ":2: ", "cgroup /tmp does not count memory"},
    {"NothingToHear", "[policy]\nhost_pressure = \"cgroup\"\n", ":2: ", "names none"},
    {"EalArgument", "[eal]\nargs = [\"--no-such-option\"]\n",
     ":2: ", "eal.args: DPDK does not start with \"--no-such-option\""},
    {"StateInAFile", "[daemon]\nstate_dir = \"/dev/null\"\n", ":2: ", "state folder /dev/null"},
    {"SameSocketSpelledTwice", device("a", "/tmp/vb-x.sock") + device("b", "/tmp/../tmp/vb-x.sock"),
     ":6: ", "device 'b' shares the socket /tmp/../tmp/vb-x.sock with a"},
};

INSTANTIATE_TEST_SUITE_P(Each, ConfigurationAtStart, ::testing::ValuesIn(kWrong),
                         [](const auto& wrong) { return wrong.param.name; });

TEST_F(StartErrors, OptionsAreNamedToo) {
  const std::string too_long = "/tmp/" + std::string(120, 'x');
  expect(start("", {"--device", "a b=/tmp/vb-x.sock"}), 2, "--device: ", "'a b' is no device name");
  expect(start("", {"--device", "a"}), 2, "--device: ", "'a' is no device");
  expect(start("", {"--device", "a=" + too_long}), 2, "--device: ", "bytes long");
  expect(start(device("a", "/tmp/vb-x.sock"), {"--device", "a=/tmp/vb-y.sock"}), 2,
         "--device: ", "two devices are named 'a'");
  expect(start("", {"--device", "a=" + path("rpc")}), 2, "--device: ", "shares the socket");
  expect(type({"--rpc", too_long}), 2, "--rpc: ", "bytes long");
  expect(start("", {"--state", "/dev/null/x"}), 2, "--state: ", "state folder");
  expect(type({"--config", path("none")}), 2, path("none"), "No such file");
  EXPECT_EQ(start("", {"--log-level", "loud"}).status, 2);
  EXPECT_EQ(start("", {"--no-such-option"}).status, 2);
}

/// Both start nothing.
TEST_F(StartErrors, AConfigurationIsCheckedAndPrinted) {
  const std::string good = "[poll]\nidle = \"backoff\"\n" + device("a", path("vm.sock"));
  const Ended checked = start(good, {"--check-config"});
  EXPECT_EQ(checked.status, 0) << checked.output;
  EXPECT_EQ(checked.output, "vballoond: " + path("toml") + ": nothing wrong; 1 device\n");
  const Ended printed = start(good, {"--print-config"});
  EXPECT_EQ(printed.status, 0) << printed.output;
  EXPECT_NE(printed.output.find("idle = \"backoff\""), std::string::npos) << printed.output;
  EXPECT_NE(printed.output.find("  # " + path("toml") + ":2\n"), std::string::npos)
      << printed.output;
  EXPECT_NE(printed.output.find("  # --rpc\n"), std::string::npos) << printed.output;
  const Ended again = start(printed.output, {"--check-config"});
  EXPECT_EQ(again.status, 0) << again.output;
  for (const char* const option : {"--check-config", "--print-config"}) {
    const Ended wrong = start("[poll]\nidle = 1\n[eal]\nx = 2\n", {option});
    EXPECT_EQ(wrong.status, 2);
    EXPECT_NE(wrong.output.find("vballoond: " + path("toml") + ":2: "), std::string::npos);
    EXPECT_NE(wrong.output.find("vballoond: " + path("toml") + ":4: "), std::string::npos);
  }
}

TEST_F(StartErrors, WhatMayPassIsOne) {
  expect(start(device("a", path("missing/vm.sock"))), 1,
         path("toml") + ":3: ", "make it first (mkdir -p)");
  Program first({program_in("VBALLOOND"), "--dev", "--rpc", path("rpc")});
  ASSERT_TRUE(first.says("ready")) << first.output();
  expect(start(""), 1, "--rpc: ", "somebody listens there already");
  EXPECT_EQ(first.end(SIGTERM).status, 0);
}

/// 16 TiB of huge pages are nowhere; what it says must leave what others have.
TEST_F(StartErrors, MissingHugePagesAreAddedToThePool) {
  std::uint64_t all = 0;
  if (!(std::ifstream("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages") >> all)) {
    GTEST_SKIP() << "no huge pages of 2 MiB";
  }
  const Ended ended = start("[eal]\nno_huge = false\nmemory_mib = 1048576\n");
  EXPECT_EQ(ended.status, 1) << "pages may come: " << ended.output;
  EXPECT_NE(ended.output.find("needs 524288 huge pages of 2048 KiB"), std::string::npos)
      << ended.output;
  EXPECT_NE(ended.output.find(" to the " + std::to_string(all) + " that the host has"),
            std::string::npos)
      << ended.output;
}

TEST(LogLevel, ChangesAtAReload) {
  Daemon daemon({}, "[daemon]\nlog_level = \"warn\"\n");
  const auto add = [&daemon](const std::string& name) {
    daemon.call("device.add", {{"name", name}, {"socket", daemon.socket(name)}});
  };
  const auto reload_with = [&daemon](const std::string& level) {
    std::ofstream(daemon.folder() / "toml") << "[daemon]\nlog_level = \"" << level << "\"\n";
    ::kill(daemon.pid(), SIGHUP);
    const std::string said = "daemon.log_level is now " + level;
    EXPECT_TRUE(eventually([&] { return daemon.log().find(said) != std::string::npos; })) << level;
  };
  const auto said = [&daemon](const char* text) {
    return daemon.log().find(text) != std::string::npos;
  };
  add("quiet");
  EXPECT_FALSE(said("quiet: added")) << "its level is warning";
  reload_with("info");
  add("heard");
  EXPECT_TRUE(said("heard: added"));
  reload_with("warning");
  add("silent");
  EXPECT_FALSE(said("silent: added"));
  EXPECT_FALSE(said("needs a restart"));
}

/// Everything that prints, to a disk that is full.
TEST(FullDevice, IsAFailureOfWhatPrints) {
  const auto onto_full = [](const std::string& words) {
    Program program({"/bin/sh", "-c", "exec " + words + " > /dev/full"});
    return program.end();
  };
  const std::string daemon = program_in("VBALLOOND");
  const std::string driver = program_in("VBALLOON_DRIVER");
  for (const std::string& words :
       {daemon + " --help", daemon + " --version", driver + " --help", driver + " --version"}) {
    const Ended ended = onto_full(words);
    EXPECT_GT(ended.status, 0) << words << ": " << ended.output;
    EXPECT_NE(ended.output.find(": standard output: "), std::string::npos) << ended.output;
  }
}

TEST(FullDevice, DoesNotKeepTheDaemonFromServing) {
  const TemporaryFolder folder;
  Program daemon({"/bin/sh", "-c",
                  "exec " + program_in("VBALLOOND") + " --dev --rpc " +
                      (folder.path() / "rpc").string() + " > /dev/full"});
  EXPECT_TRUE(eventually(
      [&] { return rpc::Client::connect((folder.path() / "rpc").string()).has_value(); }));
  EXPECT_EQ(daemon.end(SIGTERM).status, 0) << daemon.output();
}

}  // namespace
}  // namespace vballoon::model
