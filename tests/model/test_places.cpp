// SPDX-License-Identifier: BSD-3-Clause
//
// On which cpus each thread of the daemon may run, as the kernel says: also threads that DPDK and
// other libraries start, and those that come later. On a host of two cpus that is every form there
// is: one of them is ours, or each has its work.
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>

#include "base/unique_fd.hpp"
#include "harness/fixture.hpp"
#include "harness/program.hpp"

namespace vballoon::model {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProduction = "[eal]\nno_huge = true\n[poll]\nidle = \"backoff\"\n";

/// A group of processes that the kernel confines to one cpu.
class CpuSet {
 public:
  explicit CpuSet(int cpu) {
    const fs::path v1 = "/sys/fs/cgroup/cpuset";
    const bool is_v1 = fs::exists(v1 / "cpuset.cpus");
    folder_ = (is_v1 ? v1 : fs::path("/sys/fs/cgroup")) /
              ("vballoon-places-" + std::to_string(::getpid()));
    if (::mkdir(folder_.c_str(), 0755) != 0) return;
    good_ = write("cpuset.cpus", std::to_string(cpu)) && write("cpuset.mems", "0");
  }
  ~CpuSet() {
    for (int tries = 0; tries < 500 && ::rmdir(folder_.c_str()) != 0; ++tries) ::usleep(10'000);
  }
  CpuSet(const CpuSet&) = delete;
  CpuSet& operator=(const CpuSet&) = delete;

  [[nodiscard]] bool good() const { return good_; }
  /// Of a child of ours, for itself.
  void enter() const {
    if (!write("cgroup.procs", "0")) ::_exit(125);
  }

 private:
  [[nodiscard]] bool write(const char* file, const std::string& text) const {
    std::ofstream out(folder_ / file);
    return static_cast<bool>(out << text << std::flush);
  }

  fs::path folder_;
  bool good_ = false;
};

void pin_to(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) ::_exit(126);
}

/// What a thread of the process says: its name and its cpus.
std::multimap<std::string, std::string> threads_of(pid_t pid) {
  std::multimap<std::string, std::string> threads;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm") >> std::ws, name);
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (!line.starts_with("Cpus_allowed_list:")) continue;
      threads.emplace(name, line.substr(line.find_first_not_of("\t ", line.find(':') + 1)));
    }
  }
  return threads;
}

class Places : public ::testing::Test {
 protected:
  void SetUp() override {
    cpu_set_t set;
    CPU_ZERO(&set);
    ASSERT_EQ(::sched_getaffinity(0, sizeof(set), &set), 0);
    if (CPU_COUNT(&set) < 2 || !CPU_ISSET(0, &set) || !CPU_ISSET(1, &set)) {
      GTEST_SKIP() << "needs cpus 0 and 1";
    }
    two_only_ = CPU_COUNT(&set) == 2;
  }

  /// Starts it, has libraries start all the threads that they ever start, and asks where they are.
  void start(const std::string& config, const std::function<void()>& before = {},
             bool development = false) {
    std::ofstream(folder_.path() / "toml") << config;
    std::vector<std::string> words{program_in("VBALLOOND"), "--config", path("toml"), "--rpc",
                                   path("rpc")};
    if (development) words.emplace_back("--dev");
    daemon_.emplace(words, [&] {
      ::setenv("RUNTIME_DIRECTORY", folder_.path().c_str(), 1);  // telemetry's socket is in there
      if (before) before();
    });
    ASSERT_TRUE(daemon_->says("ready")) << daemon_->output();
    auto client = rpc::Client::connect(path("rpc"));
    ASSERT_TRUE(client) << client.error().message;
    const auto call = [&client](const std::string& method, const Json& params) {
      const auto answer = client->call(method, params, std::chrono::seconds(10));
      EXPECT_TRUE(answer) << (answer ? "" : answer.error().message);
      return answer.value_or(Json::object());
    };
    call("device.add", {{"name", "c"}, {"socket", path("c.sock")}, {"mode", "client"}});
    call("device.add", {{"name", "vm"}, {"socket", path("vm.sock")}});
    guest_ = model::connect(path("vm.sock"), ram_);
    must(guest_->inflate(std::vector<Pfn>{Pfn{3000}}));
    if (!development) call_telemetry();
    lcores_ = call("lcore.list", Json::object()).at("lcores");
  }

  /// A thread of its own serves this client, as long as it stays.
  void call_telemetry() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string socket = path("dpdk/vballoon/dpdk_telemetry.v2");
    socket.copy(address.sun_path, sizeof(address.sun_path) - 1);
    telemetry_ = UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    ASSERT_EQ(
        ::connect(telemetry_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
        0)
        << socket;
    std::array<char, 1024> hello{};
    ASSERT_GT(::recv(telemetry_.get(), hello.data(), hello.size(), 0), 0);
    EXPECT_NE(std::string(hello.data()).find("DPDK"), std::string::npos) << hello.data();
    const std::string command = "/balloon/list";
    ASSERT_EQ(::send(telemetry_.get(), command.data(), command.size(), 0),
              static_cast<ssize_t>(command.size()));
    std::array<char, 1024> answer{};
    ASSERT_GT(::recv(telemetry_.get(), answer.data(), answer.size() - 1, 0), 0);
    EXPECT_EQ(Json::parse(answer.data()).at(command).at("names"), Json({"c", "vm"}));
  }

  /// @param workers  each lcore of its own by its number; every other thread is on `rest`.
  void expect_places(const std::map<int, std::string>& workers, const std::string& rest) {
    ASSERT_EQ(lcores_.size(), workers.size() + 1);
    for (const auto& [name, cpus] : threads_of(daemon_->pid())) {
      const std::size_t digit = name.find_first_of("0123456789");
      const bool is_worker = name.find("worker") != std::string::npos;
      ASSERT_TRUE(!is_worker || digit != std::string::npos) << name;
      EXPECT_EQ(cpus, is_worker ? workers.at(std::atoi(name.c_str() + digit)) : rest) << name;
    }
    for (const Json& lcore : lcores_) {
      EXPECT_EQ(lcore.at("cpus"),
                lcore.at("role") == "control" ? rest : workers.at(lcore.at("lcore").get<int>()));
    }
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path() / name; }

  TemporaryFolder folder_;
  std::optional<Program> daemon_;
  GuestRam ram_ = must(GuestRam::create(driver::flat_ram(32 * kMiB)));
  std::unique_ptr<BalloonDriver> guest_;
  UniqueFd telemetry_;
  Json lcores_ = Json::array();
  bool two_only_ = false;
};

TEST_F(Places, NeighboursAreLeftAlone) {
  if (!two_only_) GTEST_SKIP() << "for two cpus";
  start(std::string(kProduction) + "[placement]\nneighbours = \"0x1\"\n");
  expect_places({{1, "1"}}, "1");
}

TEST_F(Places, NeighboursOfADevelopersDaemonToo) {
  if (!two_only_) GTEST_SKIP() << "for two cpus";
  start("[placement]\nneighbours = \"1\"\n", {}, true);
  expect_places({{1, "0"}}, "0");
}

TEST_F(Places, MainLcoreHoldsEveryThreadButTheLcores) {
  start(
      "[eal]\nno_huge = true\nmain_lcore = 1\n[poll]\nidle = \"backoff\"\nlcores = [0]\n"
      "[reclaim]\nlcores = \"none\"\n");
  expect_places({{0, "0"}}, "1");
}

TEST_F(Places, WhereNothingIsSaidThePollLcoreHasTheLastCpu) {
  if (!two_only_) GTEST_SKIP() << "for two cpus";
  start(kProduction);
  expect_places({{1, "1"}}, "0");
}

TEST_F(Places, TasksetIsObeyed) {
  start(kProduction, [] { pin_to(1); });
  expect_places({{0, "1"}}, "1");
}

TEST_F(Places, ACpuThatIsNamedMayBeOutsideOfTaskset) {
  start(std::string(kProduction) + "lcores = [0]\n", [] { pin_to(1); });
  expect_places({{0, "0"}}, "1");
}

TEST_F(Places, MainLcoreMayBeOutsideOfTaskset) {
  start("[eal]\nno_huge = true\nmain_lcore = 0\n[poll]\nidle = \"backoff\"\nlcores = [1]\n",
        [] { pin_to(1); });
  expect_places({{1, "1"}}, "0");
}

TEST_F(Places, ACpusetIsObeyed) {
  const CpuSet set(1);
  if (!set.good()) GTEST_SKIP() << "no cpuset can be made here";
  start(kProduction, [&set] { set.enter(); });
  expect_places({{0, "1"}}, "1");
  daemon_.reset();
}

TEST_F(Places, InDevelopmentAllFloat) {
  if (!two_only_) GTEST_SKIP() << "for two cpus";
  start("", {}, true);
  expect_places({{1, "0-1"}}, "0-1");
}

TEST_F(Places, EveryCpuAnLcoreLeavesTheOthersToShareThem) {
  if (!two_only_) GTEST_SKIP() << "for two cpus";
  start(std::string(kProduction) + "lcores = [0]\n[reclaim]\nlcores = [1]\n");
  expect_places({{0, "0"}, {1, "1"}}, "0-1");
}

}  // namespace
}  // namespace vballoon::model
