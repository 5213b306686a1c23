// SPDX-License-Identifier: BSD-3-Clause
#include "daemon.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace vballoon::model {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStart{20'000};
constexpr milliseconds kEnd{20'000};
constexpr milliseconds kCall{10'000};

const char* program() {
  const char* const path = std::getenv("VBALLOOND");
  if (path == nullptr) throw std::runtime_error("set VBALLOOND to the path of the daemon");
  return path;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "vballoon-model-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Daemon::Daemon(const std::vector<std::string>& devices, const std::string& config, bool keeps)
    : Daemon(devices, config, std::nullopt, keeps) {}

Daemon::Daemon(const std::vector<std::string>& devices, const std::string& config,
               const std::optional<support::User>& user, bool keeps)
    : devices_(devices), config_(config), user_(user), keeps_(keeps) {
  launch();
  try {
    wait_until_ready();
  } catch (...) {
    kill();  // no destructor runs for what never came up
    throw;
  }
}

void Daemon::restart(int signal) {
  client_.reset();
  ::kill(pid_, signal);
  if (!wait_for_end(kEnd)) throw std::runtime_error("the daemon does not end");
  launch();
  wait_until_ready();
}

std::string Daemon::socket(const std::string& device) const {
  return (folder() / (device + ".sock")).string();
}

void Daemon::launch() {
  std::vector<std::string> words{program(), "--dev", "--rpc", (folder() / "rpc").string()};
  if (keeps_) words.insert(words.end(), {"--state", (folder() / "state").string()});
  if (!config_.empty()) {
    std::ofstream(folder() / "toml") << config_;
    words.insert(words.end(), {"--config", (folder() / "toml").string()});
  }
  for (const std::string& device : devices_) {
    const std::string name = device.substr(0, device.find('='));
    const bool client = name != device;
    words.insert(words.end(), {"--device", name + (client ? "=client:" : "=") + socket(name)});
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string log = (folder() / "log").string();
  if (user_ && ::chown(folder().c_str(), user_->uid, user_->gid) != 0) {
    throw std::runtime_error("chown failed");
  }
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ > 0) return;
  if (user_) support::become(*user_);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // a test that crashes leaves no daemon behind
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

void Daemon::wait_until_ready() {
  const auto deadline = std::chrono::steady_clock::now() + kStart;
  while (std::chrono::steady_clock::now() < deadline && alive()) {
    if (auto client = rpc::Client::connect((folder() / "rpc").string())) {
      client_.emplace(*std::move(client));
      if (try_call("device.list", Json::object())) return;
      client_.reset();
    }
    std::this_thread::sleep_for(milliseconds(10));
  }
  throw std::runtime_error("the daemon does not answer; it said:\n" + log());
}

rpc::Outcome<Json> Daemon::try_call(const std::string& method, const Json& params) {
  return client_->call(method, params, kCall);
}

Json Daemon::call(const std::string& method, const Json& params) {
  auto answer = try_call(method, params);
  if (!answer) throw std::runtime_error(method + ": " + answer.error().message);
  return *std::move(answer);
}

bool Daemon::alive() {
  return pid_ > 0 && !wait_for_end(milliseconds(0));
}

std::optional<int> Daemon::wait_for_end(milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return status;
    }
    if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(milliseconds(2));
  }
}

std::string Daemon::log() const {
  std::ostringstream text;
  text << std::ifstream(folder() / "log").rdbuf();
  return text.str();
}

Daemon::~Daemon() {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    const auto status = wait_for_end(kEnd);
    EXPECT_TRUE(status) << "the daemon did not end on SIGTERM";
    EXPECT_EQ(status.value_or(0), 0) << "wait status of the daemon";
    kill();
  } else {
    ADD_FAILURE() << "the daemon ended by itself";
  }
  if (::testing::Test::HasFailure()) std::fprintf(stderr, "daemon log:\n%s", log().c_str());
}

/// What still runs of it.
void Daemon::kill() noexcept {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace vballoon::model
