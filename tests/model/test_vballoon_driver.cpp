// SPDX-License-Identifier: BSD-3-Clause
//
// vballoon-driver, the program: what it prints and how it exits.
#include <signal.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <future>

#include "harness/fixture.hpp"
#include "harness/program.hpp"

namespace vballoon::model {
namespace {

class VballoonDriver : public DaemonTest {
 protected:
  static Ended run(const std::string& arguments) {
    const char* const program = std::getenv("VBALLOON_DRIVER");
    if (program == nullptr) throw std::runtime_error("set VBALLOON_DRIVER to its path");
    Ended ended;
    FILE* const pipe = ::popen((std::string(program) + " " + arguments + " 2>&1").c_str(), "r");
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
      ended.output += static_cast<char>(c);
    }
    const int status = ::pclose(pipe);
    ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ended;
  }
  Ended steps(const std::string& arguments) {
    return run("--socket " + daemon_.socket(device_) + " " + arguments);
  }
};

TEST_F(VballoonDriver, DoesItsStepsAndCountsInJson) {
  const Ended r =
      steps("--mem 64M --canaries --order runs:16 --json inflate:32M deflate:16M reset");
  ASSERT_EQ(r.status, 0) << r.output;
  const Json all = Json::parse(r.output);
  EXPECT_EQ(all.at("ok"), true);
  const Json& first = all.at("steps").at(0);
  EXPECT_EQ(first.at("pages").at("inflate"), 8192);
  EXPECT_EQ(first.at("buffers"), 32);
  EXPECT_EQ(first.at("ballooned_bytes"), 32 * kMiB);
  EXPECT_EQ(first.at("latency_ns").at("count"), 32);
  const auto before = first.at("allocated_before_bytes").get<std::uint64_t>();
  const auto after = first.at("allocated_after_bytes").get<std::uint64_t>();
  EXPECT_GE(before - after, 31 * kMiB);
  EXPECT_EQ(all.at("steps").at(1).at("ballooned_bytes"), 16 * kMiB);
  EXPECT_EQ(all.at("steps").at(2).at("ballooned_bytes"), 0U);
}

TEST_F(VballoonDriver, TellsOfPressure) {
  const std::string name = device_ + "-says";
  const std::string socket = daemon_.folder() / (name + ".sock");
  daemon_.call("device.add", {{"name", name}, {"socket", socket}, {"message_queue", true}});
  const Ended r = run("--mem 16M --message-queue --json pressure pressure --socket " + socket);
  EXPECT_EQ(r.status, 0) << r.output;
  EXPECT_EQ(daemon_.show(name).at("counters").at("pressure_messages"), 2);
  EXPECT_EQ(Json::parse(r.output).at("steps").at(1).at("buffers"), 1);
  daemon_.call("device.remove", {{"name", name}});
  const Ended other = steps("--mem 16M --message-queue pressure");
  EXPECT_EQ(other.status, 2) << "this device has no such queue";
  EXPECT_NE(other.output.find("no message queue"), std::string::npos) << other.output;
}

TEST_F(VballoonDriver, DoesItsStepsOnABalloonOfLargePages) {
  const std::string name = device_ + "-large";
  const std::string socket = daemon_.folder() / (name + ".sock");
  daemon_.call("device.add",
               {{"name", name}, {"socket", socket}, {"kind", "large"}, {"page_sizes", "4K,2M"}});
  const std::string large = "--kind large --mem 64M --canaries --socket " + socket + " ";
  const Ended r =
      run(large + "--json inflate:32M deflate:16M release:8M pressure pause:0.01 reset");
  ASSERT_EQ(r.status, 0) << r.output;
  const Json all = Json::parse(r.output);
  EXPECT_EQ(all.at("ok"), true);
  const Json& steps = all.at("steps");
  EXPECT_EQ(steps.at(0).at("pages").at("inflate"), 16) << "of 2 MiB";
  EXPECT_EQ(steps.at(0).at("buffers"), 1);
  EXPECT_EQ(steps.at(0).at("moved_bytes"), 32 * kMiB);
  EXPECT_EQ(steps.at(1).at("pages").at("deflate"), 8);
  EXPECT_EQ(steps.at(2).at("pages").at("release"), 4);
  EXPECT_EQ(steps.at(2).at("ballooned_bytes"), 8 * kMiB);
  EXPECT_EQ(steps.at(5).at("ballooned_bytes"), 0U);
  const Ended small = run(large + "--sizes 4K --batch 100 --without packed inflate:2M");
  ASSERT_EQ(small.status, 0) << small.output;
  EXPECT_NE(small.output.find("inflate 512 pages (2 MiB), 6 buffers"), std::string::npos)
      << small.output;
  const Ended wrong = run(large + "--sizes 1G inflate:2M");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_NE(wrong.output.find("takes no pages of 1 GiB"), std::string::npos) << wrong.output;
  const Ended other = this->steps("--kind large inflate:2M");
  EXPECT_EQ(other.status, 2) << "that device is another";
  EXPECT_EQ(run(large + "report:2M").status, 2) << "there is no such thing";
}

TEST_F(VballoonDriver, FollowsTheTargetOfABalloonOfLargePages) {
  const std::string name = device_ + "-large";
  const std::string socket = daemon_.folder() / (name + ".sock");
  daemon_.call("device.add",
               {{"name", name}, {"socket", socket}, {"kind", "large"}, {"page_sizes", "2M"}});
  daemon_.call("device.set", {{"name", name}, {"target_bytes", 30 * kMiB}});
  std::future<Ended> ended = std::async(std::launch::async, [&socket] {
    return run("--kind large --mem 64M --canaries --json follow:7 --socket " + socket);
  });
  const auto balloon = [&] { return daemon_.show(name).at("ballooned_bytes"); };
  const auto first = [&] { return balloon() == 30 * kMiB; };
  EXPECT_TRUE(eventually(first) || eventually(first)) << "the program's start included";
  daemon_.call("device.set", {{"name", name}, {"target_bytes", 6 * kMiB}});
  EXPECT_TRUE(eventually([&] { return balloon() == 6 * kMiB; }));
  EXPECT_TRUE(eventually([&] {
    return daemon_.show(name).at("counters").at("states").get<unsigned>() >= 2;
  })) << "it says how it stands";
  const Ended r = ended.get();
  ASSERT_EQ(r.status, 0) << r.output;
  EXPECT_EQ(Json::parse(r.output).at("steps").at(0).at("ballooned_bytes"), 6 * kMiB);
}

TEST_F(VballoonDriver, GoesOnWithTheNextDaemon) {
  Daemon daemon({"vm"}, "", true);
  daemon.call("device.set", {{"name", "vm"}, {"target_bytes", 32 * kMiB}});
  std::future<Ended> ended = std::async(std::launch::async, [&daemon] {
    return run("--mem 64M --canaries --reconnect --json --socket " + daemon.socket("vm") +
               " inflate:32M follow:4 deflate:32M");
  });
  ASSERT_TRUE(eventually([&] { return daemon.show("vm").at("ballooned_bytes") == 32 * kMiB; }));
  daemon.restart(SIGKILL);
  const Ended r = ended.get();
  ASSERT_EQ(r.status, 0) << r.output;
  const Json all = Json::parse(r.output);
  EXPECT_EQ(all.at("ok"), true) << "no canary was lost, and no buffer";
  EXPECT_EQ(all.at("steps").at(2).at("pages").at("deflate"), 8192);
  EXPECT_EQ(daemon.show("vm").at("counters").at("not_ballooned"), 0)
      << "the second daemon knew of the balloon";
}

TEST_F(VballoonDriver, FollowsATarget) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(
      ::popen((std::string(std::getenv("VBALLOON_DRIVER")) + " --mem 64M --socket " +
               daemon_.socket(device_) + " follow:1.5 > /dev/null")
                  .c_str(),
              "r"),
      &::pclose);
  ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  daemon_.call("device.set", {{"name", device_}, {"target_bytes", 10 * kMiB}});
  EXPECT_TRUE(eventually([this] { return show().at("actual_bytes") == 10 * kMiB; }));
  expect_ballooned(2560);  // counted after the buffer is used, so maybe a moment later
  EXPECT_TRUE(eventually([this] { return show().at("reclaimed_bytes") == 10 * kMiB; }));
}

TEST_F(VballoonDriver, RefusesWhatItCannotDoInFull) {
  for (const char* steps_of : {"inflate:128M", "deflate:4M", "report:128M", "hint:128M"}) {
    const Ended r = steps(std::string("--mem 64M ") + steps_of);
    EXPECT_EQ(r.status, 2) << r.output;
    EXPECT_NE(r.output.find(std::string(steps_of) + ": the guest has "), std::string::npos)
        << r.output;
  }
  EXPECT_EQ(steps("--mem 64M inflate:all deflate:all").status, 0);
  for (const char* nothing :
       {"", "inflate:0", "inflate:1K", "inflate:128", "--mem 64 inflate:1M"}) {
    EXPECT_EQ(steps(nothing).status, 2) << nothing;
  }
}

TEST_F(VballoonDriver, SaysWhoMayHaveTheDevice) {
  const auto driver = connect();
  const Ended r = steps("--mem 16M inflate:1M");
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.output.find("is another VMM connected to " + daemon_.socket(device_) + "?"),
            std::string::npos)
      << r.output;
  EXPECT_EQ(r.output.find("temporarily unavailable"), std::string::npos) << r.output;
}

TEST_F(VballoonDriver, SaysWhichHugePagesAreMissing) {
  const Ended many = steps("--mem 8T --hugetlb 2M inflate:2M");
  EXPECT_EQ(many.status, 2);
  EXPECT_NE(many.output.find("takes 4194304 huge pages of 2 MiB"), std::string::npos)
      << many.output;
  const Ended odd = steps("--mem 64M --hugetlb 4M inflate:4M");
  EXPECT_EQ(odd.status, 2);
  EXPECT_NE(odd.output.find("no huge pages of 4 MiB"), std::string::npos) << odd.output;
}

TEST_F(VballoonDriver, HasAVersionAndOneStatusForAWrongCommandLine) {
  const Ended version = run("--version");
  EXPECT_EQ(version.status, 0);
  EXPECT_TRUE(version.output.starts_with("vballoon-driver 0")) << version.output;
  EXPECT_EQ(run("--no-such-option").status, 2);
  EXPECT_EQ(steps("--batch 0 inflate:1M").status, 2);
}

TEST_F(VballoonDriver, NamesWhatIsWrong) {
  const Ended nobody = run("--socket /nonexistent/x --mem 3M reset");
  EXPECT_EQ(nobody.status, 2);
  EXPECT_NE(nobody.output.find("--mem 3M"), std::string::npos) << nobody.output;
  const Ended step = steps("grow:1M");
  EXPECT_EQ(step.status, 2);
  EXPECT_NE(step.output.find("grow:1M"), std::string::npos) << step.output;
}

}  // namespace
}  // namespace vballoon::model
