// SPDX-License-Identifier: BSD-3-Clause
#include "kept_daemon.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <cstdio>
#include <fstream>
#include <thread>

#include "program.hpp"

namespace vballoon::model {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kOverAStart{30};

/// -1 where there is none.
pid_t child_of(pid_t parent) {
  std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", parent));
  pid_t child = -1;
  children >> child;
  return children ? child : -1;
}

bool has_ended(pid_t process) {
  std::ifstream status(fmt::format("/proc/{}/stat", process));
  std::string word;
  std::string state;
  status >> word >> word >> state;
  return !status || state == "Z";
}

}  // namespace

DriverOptions patient() {
  DriverOptions options;
  options.timeout = options.call_grace = kOverARestart;
  return options;
}

KeptDaemon::KeptDaemon(const std::vector<std::string>& devices, const KeptOptions& options) {
  std::vector<std::string> words = options.before;
  words.insert(words.end(),
               {program_in("VBALLOON_KEEPER"), "--longest-pause", "0.02", "--steady", "0"});
  words.insert(words.end(), options.keeper.begin(), options.keeper.end());
  words.insert(words.end(), {"--", program_in("VBALLOOND"), "--dev", "--rpc",
                             folder_.path() / "rpc", "--state", folder_.path() / "state"});
  if (!options.config.empty()) {
    configure(options.config);
    words.insert(words.end(), {"--config", folder_.path() / "toml"});
  }
  for (const std::string& device : devices) {
    words.insert(words.end(), {"--device", device + "=" + socket(device)});
  }
  must(keeper_.start(words, folder_.path() / "log"));
  await_successor_of(-1);
}

KeptDaemon::~KeptDaemon() {
  if (orphan_ > 0) {
    ::kill(orphan_, SIGTERM);
    const driver::Deadline deadline(kOverAStart);
    while (!has_ended(orphan_) && !deadline.passed()) std::this_thread::sleep_for(milliseconds(5));
    if (::testing::Test::HasFailure()) std::fprintf(stderr, "log:\n%s", log().c_str());
    return;
  }
  keeper_.send(SIGTERM);
  EXPECT_TRUE(keeper_.wait(seconds(20))) << "the keeper did not end on SIGTERM";
  EXPECT_EQ(keeper_.wait_status().value_or(0), 0) << "wait status of the keeper";
  if (::testing::Test::HasFailure()) std::fprintf(stderr, "log:\n%s", log().c_str());
}

std::string KeptDaemon::socket(const std::string& device) const {
  return folder_.path() / (device + ".sock");
}

driver::MessageSocket KeptDaemon::connect(const std::string& device) const {
  return must(driver::MessageSocket::connect(socket(device), driver::Deadline(seconds(10))));
}

Json KeptDaemon::call(const std::string& method, const Json& params) const {
  auto client = rpc::Client::connect(folder_.path() / "rpc");
  if (!client) throw std::runtime_error(method + ": " + client.error().message);
  auto answer = client->call(method, params, seconds(10));
  if (!answer) throw std::runtime_error(method + ": " + answer.error().message);
  return *std::move(answer);
}

void KeptDaemon::kill_keeper() {
  const pid_t daemon = pid();
  keeper_.kill();
  orphan_ = daemon;
}

pid_t KeptDaemon::pid() const {
  if (orphan_ > 0) return orphan_;
  const driver::Deadline deadline(kOverAStart);
  while (!deadline.passed()) {
    if (const pid_t child = child_of(keeper_.pid()); child > 0) return child;
    std::this_thread::sleep_for(milliseconds(1));
  }
  throw std::runtime_error("the keeper starts no daemon; the log:\n" + log());
}

void KeptDaemon::hit(int signal) const {
  ::kill(pid(), signal);
}

void KeptDaemon::await_successor_of(pid_t old) const {
  const driver::Deadline deadline(kOverAStart);
  while (!deadline.passed()) {
    std::this_thread::sleep_for(milliseconds(5));
    if (child_of(keeper_.pid()) == old) continue;
    auto client = rpc::Client::connect(folder_.path() / "rpc");
    if (client && client->call("device.list", Json::object(), seconds(10))) return;
  }
  throw std::runtime_error("no daemon answers; the log:\n" + log());
}

void KeptDaemon::replace(int signal) const {
  const pid_t old = pid();
  ::kill(old, signal);
  await_successor_of(old);
}

void KeptDaemon::upgrade() {
  const pid_t old = pid();
  keeper_.send(SIGUSR1);
  await_successor_of(old);
}

void KeptDaemon::configure(const std::string& text) const {
  std::ofstream(folder_.path() / "toml") << text;
}

/// The keeper is stopped meanwhile. A daemon that has ended is a zombie until the keeper looks, and
/// has nothing open any more.
void KeptDaemon::while_away(const std::function<void()>& what) {
  const pid_t old = pid();
  keeper_.send(SIGSTOP);
  ::kill(old, SIGKILL);
  const driver::Deadline deadline(kOverAStart);
  while (!has_ended(old) && !deadline.passed()) std::this_thread::sleep_for(milliseconds(1));
  what();
  keeper_.send(SIGCONT);
  await_successor_of(old);
}

std::size_t KeptDaemon::logged(const std::string& text) const {
  const std::string all = log();
  std::size_t count = 0;
  for (auto at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++count;
  return count;
}

std::unique_ptr<WalkingVm> KeptDaemon::start(const std::string& device, DriverOptions options,
                                             std::uint64_t seed) const {
  return start_on(connect(device), device, std::move(options), seed);
}

std::unique_ptr<WalkingVm> KeptDaemon::start_on(driver::MessageSocket socket,
                                                const std::string& device, DriverOptions options,
                                                std::uint64_t seed) const {
  return std::make_unique<WalkingVm>(
      device, [this, device] { return show(device); }, std::move(socket), std::move(options), seed);
}

}  // namespace vballoon::model
