// SPDX-License-Identifier: BSD-3-Clause
#include "daemon.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <stdexcept>

#include "program.hpp"

namespace vballoon::model {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStart{20'000};
constexpr milliseconds kEnd{20'000};
constexpr milliseconds kCall{10'000};

}  // namespace

Daemon::Daemon(const std::vector<std::string>& devices, const std::string& config, bool keeps)
    : Daemon(devices, config, std::nullopt, keeps) {}

Daemon::Daemon(const std::vector<std::string>& devices, const std::string& config,
               const std::optional<support::User>& user, bool keeps)
    : process_(program_in("VBALLOOND")) {
  start_.config = config;
  if (keeps) start_.arguments = {"--state", folder() / "state"};
  for (const std::string& device : devices) {
    const std::string name = device.substr(0, device.find('='));
    const bool client = name != device;
    start_.arguments.insert(start_.arguments.end(),
                            {"--device", name + (client ? "=client:" : "=") + socket(name)});
  }
  if (user) {
    if (::chown(folder().c_str(), user->uid, user->gid) != 0) {
      throw std::runtime_error("chown failed");
    }
    start_.before = [user] { support::become(*user); };
  }
  launch();
}

void Daemon::launch() {
  auto done = process_.start(start_);
  if (done) done = process_.wait_until_ready(kStart);
  if (!done) throw std::runtime_error(done.error().message);
}

void Daemon::restart(int signal) {
  if (!process_.stop(signal, kEnd)) throw std::runtime_error("the daemon does not end");
  launch();
}

rpc::Outcome<Json> Daemon::try_call(const std::string& method, const Json& params) {
  return process_.call(method, params, kCall);
}

Json Daemon::call(const std::string& method, const Json& params) {
  auto answer = try_call(method, params);
  if (!answer) throw std::runtime_error(method + ": " + answer.error().message);
  return *std::move(answer);
}

Daemon::~Daemon() {
  if (alive()) {
    EXPECT_TRUE(process_.stop(SIGTERM, kEnd)) << "the daemon did not end on SIGTERM";
    EXPECT_EQ(process_.wait_status().value_or(0), 0) << "wait status of the daemon";
  } else {
    ADD_FAILURE() << "the daemon ended by itself";
  }
  if (::testing::Test::HasFailure()) std::fprintf(stderr, "daemon log:\n%s", log().c_str());
}

}  // namespace vballoon::model
