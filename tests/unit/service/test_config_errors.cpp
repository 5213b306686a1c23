// SPDX-License-Identifier: BSD-3-Clause
//
// Every error of a configuration file names the file, the line, the key and the way out.
#include <gtest/gtest.h>

#include "service/config/config.hpp"

namespace vballoon::service {
namespace {

struct Wrong {
  const char* name;
  const char* text;
  const char* line;     ///< how the message begins
  const char* message;  ///< what it must contain
};

class ConfigError : public testing::TestWithParam<Wrong> {};

TEST_P(ConfigError, NamesTheThingAndTheWayOut) {
  const Wrong& wrong = GetParam();
  const auto config = parse_config(wrong.text, "t.toml", Profile::kProduction);
  ASSERT_FALSE(config);
  const std::string& message = config.error().message;
  EXPECT_EQ(config.error().code, Code::kInvalidArgument);
  EXPECT_TRUE(message.starts_with(wrong.line)) << message;
  EXPECT_NE(message.find(wrong.message), std::string::npos) << message;
}

const Wrong kWrong[] = {
    {"NotToml", "[daemon\n", "t.toml:1: ", "not TOML"},
    {"UnknownKey", "[poll]\nlcore = [1]\n",
     "t.toml:2: ", "unknown key 'poll.lcore'; did you mean 'lcores'?"},
    {"UnknownSection", "[pol]\n", "t.toml:1: ", "unknown key 'pol'; did you mean 'poll'?"},
    {"UnknownFarKey", "[stats]\nx = 1\n", "t.toml:2: ", "only 'interval_ms' is known here"},
    {"UnknownDeviceKey", "[[device]]\nname=\"a\"\nsocket=\"b\"\nclient=true\n",
     "t.toml:4: ", "unknown key 'device.client'; known are name, socket, mode, kind, page_sizes, "},
    {"UnknownDeviceKeyNearAKnownOne", "[[device]]\nname=\"a\"\nsocket=\"b\"\nflor_mib=1\n",
     "t.toml:4: ", "unknown key 'device.flor_mib'; did you mean 'floor_mib'?"},
    {"CeilingBeyondItsRange", "[[device]]\nname=\"a\"\nsocket=\"b\"\nceiling_mib=1073741825\n",
     "t.toml:4: ",
     "'device.ceiling_mib' must be a whole number of MiB from 0 to 1073741824, not 1073741825"},
    {"FloorAboveCeiling", "[[device]]\nname=\"a\"\nsocket=\"b\"\nfloor_mib=3\nceiling_mib=2\n",
     "t.toml:1: ", "'floor_mib' (3) is above 'ceiling_mib' (2)"},
    {"NoSuchLaw", "[policy]\nlaw = \"chaos\"\n", "t.toml:2: ", "balance"},
    {"StallBeyondItsWindow", "[policy]\npsi_stall_ms = 700\npsi_window_ms = 500\n",
     "t.toml:2: ", "'policy.psi_stall_ms' (700) is longer than its window"},
    {"WeightOfZero", "[[device]]\nname=\"a\"\nsocket=\"b\"\nweight=0\n", "t.toml:4: ", "1"},
    {"MessageQueueNotABoolean",
     "[[device]]\nname = \"a\"\nsocket = \"b\"\nmessage_queue = \"yes\"\n",
     "t.toml:4: ", "'device.message_queue' must be true or false"},
    {"NoSocket", "\n[[device]]\nname = \"a\"\n", "t.toml:2: ", "this [[device]] has no 'socket'"},
    {"NoName", "[[device]]\nsocket = \"a\"\n", "t.toml:1: ", "this [[device]] has no 'name'"},
    {"OneBracket", "[device]\nname = \"a\"\n", "t.toml:1: ", "must be written [[device]]"},
    {"NotATable", "daemon = 1\n", "t.toml:1: ", "'daemon' must be a table, [daemon], not a whole"},
    {"NotABoolean", "[eal]\nno_huge = 1\n",
     "t.toml:2: ", "'eal.no_huge' must be true or false, not a whole number"},
    {"NotAText", "[daemon]\nrpc_socket = 1\n",
     "t.toml:2: ", "'daemon.rpc_socket' must be a text in quotes, not a whole number"},
    {"NotANumber", "[eal]\nmemory_mib = \"64\"\n", "t.toml:2: ",
     "'eal.memory_mib' must be a whole number of MiB from 16 to 1048576, not a text in quotes"},
    {"Fraction", "[eal]\nmemory_mib = 64.5\n", "t.toml:2: ", "not a number with a fraction"},
    {"TooSmall", "[eal]\nmemory_mib = 1\n", "t.toml:2: ", "from 16 to 1048576, not 1"},
    {"Negative", "[stats]\ninterval_ms = -5\n", "t.toml:2: ", "from 0 to 3600000, not -5"},
    {"TooOften", "[stats]\ninterval_ms = 5\n", "t.toml:2: ", "must be 0 (only on request) or at"},
    {"NotAList", "[poll]\nlcores = 3\n", "t.toml:2: ", "must be a list of whole numbers"},
    {"NotAListOfNumbers", "[poll]\nlcores = [1,\n \"x\"]\n", "t.toml:3: ", "'poll.lcores' must be"},
    {"SameCpuTwice", "[poll]\nlcores = [1, 1]\n", "t.toml:2: ", "'poll.lcores' names 1 twice"},
    {"NoSuchCpu", "[poll]\nlcores = [5000]\n", "t.toml:2: ", "or \"auto\", not 5000"},
    {"NoSuchChoice", "[reclaim]\nlcores = \"some\"\n", "t.toml:2: ",
     "'reclaim.lcores' must be a list of whole numbers from 0 to 1023, as in [2, 3], "
     "or \"auto\" or \"none\", not \"some\""},
    {"PollNeedsOne", "[poll]\nlcores = \"none\"\n", "t.toml:2: ", "or \"auto\", not \"none\""},
    {"ListInQuotes", "[poll]\nlcores = \"0-1\"\n", "t.toml:2: ",
     "must be a list of whole numbers from 0 to 1023, as in [2, 3], or \"auto\", not \"0-1\""},
    {"NumberForAList", "[reclaim]\nlcores = 1\n",
     "t.toml:2: ", "as in [2, 3], or \"auto\" or \"none\", not a whole number"},
    {"ListForAMask", "[placement]\nneighbours = [2, 3]\n", "t.toml:2: ",
     "must be a text in quotes, a mask as in \"0x3c\" or a list as in \"2-5,8\", not a list"},
    {"NumberForAWord", "[poll]\nidle = 1\n",
     "t.toml:2: ", "'poll.idle' must be \"spin\" or \"backoff\", not a whole number"},
    {"TrueForAWord", "[daemon]\nlog_level = true\n", "t.toml:2: ", "or \"error\", not true or"},
    {"TextForAList", "[eal]\nargs = \"--x\"\n",
     "t.toml:2: ", "must be a list of texts, as in [\"one\", \"two\"], not a text in quotes"},
    {"NoCgroupToHear", "[policy]\n\nhost_pressure = \"cgroup\"\n",
     "t.toml:3: ", "'policy.cgroup' names none"},
    {"TooOld", "[reclaim]\nwindow_age_ms = 5000\n", "t.toml:2: ", "milliseconds from 0 to 1000"},
    {"NoMask", "[placement]\nneighbours = \"0xzz\"\n",
     "t.toml:2: ", "'placement.neighbours': '0xzz' names no cpus"},
    {"NotAListOfTexts", "[eal]\nargs = [1]\n", "t.toml:2: ", "'eal.args' must be a list of texts"},
    {"NoSuchIdle", "[poll]\nidle = \"fast\"\n",
     "t.toml:2: ", "'poll.idle' must be \"spin\" or \"backoff\", not \"fast\""},
    {"NoSuchMode", "[[device]]\nname=\"a\"\nsocket=\"b\"\nmode=\"both\"\n",
     "t.toml:4: ", "'device.mode' must be \"server\" or \"client\", not \"both\""},
    {"NoSuchLevel", "[daemon]\nlog_level = \"loud\"\n", "t.toml:2: ", "not \"loud\""},
    {"SameName", "[[device]]\nname=\"a\"\nsocket=\"b\"\n[[device]]\nname=\"a\"\nsocket=\"c\"\n",
     "t.toml:4: ", "two devices are named 'a'"},
    {"SameSocket", "[[device]]\nname=\"a\"\nsocket=\"b\"\n[[device]]\nname=\"c\"\nsocket=\"b\"\n",
     "t.toml:4: ", "device 'c' shares the socket b"},
};

INSTANTIATE_TEST_SUITE_P(Each, ConfigError, testing::ValuesIn(kWrong),
                         [](const auto& wrong) { return wrong.param.name; });

TEST(ConfigErrors, OfAKeyAreNotToldOfTheKeysThatGoWithIt) {
  const auto config = parse_config(
      "[policy]\ncgroup = 1\nhost_pressure = \"cgroup\"\npsi_stall_ms = 9000\n"
      "psi_window_ms = \"10000\"\n",
      "t.toml", Profile::kProduction);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message,
            "t.toml:2: 'policy.cgroup' must be a text in quotes, not a whole number\n"
            "t.toml:5: 'policy.psi_window_ms' must be a whole number of milliseconds from 500 to "
            "10000, not a text in quotes");
}

TEST(ConfigErrors, AreAllToldInTheOrderOfTheFile) {
  const auto config = parse_config(R"([[device]]
name = "a"
socket = "s"
weight = 0
[poll]
lcores = [1, 1]
idle = "never"
lcore = 3
[[device]]
name = "b"
[[device]]
name = "a"
socket = "t"
[daemon]
seccomp = 1
)",
                                   "t.toml", Profile::kProduction);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message,
            "t.toml:4: 'device.weight' must be a whole number from 1 to 10000, not 0\n"
            "t.toml:6: 'poll.lcores' names 1 twice\n"
            "t.toml:7: 'poll.idle' must be \"spin\" or \"backoff\", not \"never\"\n"
            "t.toml:8: unknown key 'poll.lcore'; did you mean 'lcores'?\n"
            "t.toml:9: this [[device]] has no 'socket'\n"
            "t.toml:15: 'daemon.seccomp' must be true or false, not a whole number");
}

}  // namespace
}  // namespace vballoon::service
