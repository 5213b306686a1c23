// SPDX-License-Identifier: BSD-3-Clause
#include "driver/daemon_process.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <csignal>
#include <deque>
#include <fstream>
#include <thread>

#include "driver/deadline.hpp"

namespace vballoon::driver {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kEnd{20'000};
constexpr milliseconds kFirstAnswer{10'000};

}  // namespace

DaemonProcess::~DaemonProcess() {
  (void)stop(SIGTERM, kEnd);  // what does not end is killed with process_
}

Result<void> DaemonProcess::start(const DaemonStart& how) {
  std::vector<std::string> words{program_, "--dev", "--rpc", rpc_socket()};
  if (!how.config.empty()) {
    const std::filesystem::path file = folder() / "toml";
    std::ofstream(file) << how.config;
    words.insert(words.end(), {"--config", file});
  }
  words.insert(words.end(), how.arguments.begin(), how.arguments.end());
  return process_.start(std::move(words), log_file(), how.before);
}

Result<void> DaemonProcess::wait_until_ready(milliseconds patience) {
  const Deadline deadline(patience);
  while (!deadline.passed() && alive()) {
    if (auto client = rpc::Client::connect(rpc_socket())) {
      client_.emplace(*std::move(client));
      if (call("device.list", rpc::Json::object(), kFirstAnswer)) return {};
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
  return fail(Code::kUnavailable, "the daemon does not answer; it said:\n" + last_words());
}

bool DaemonProcess::stop(int signal, milliseconds patience) {
  client_.reset();
  process_.send(signal);
  return process_.wait(patience);
}

rpc::Outcome<rpc::Json> DaemonProcess::call(std::string_view method, rpc::Json params,
                                            milliseconds patience) {
  if (!client_) return rpc::refuse(rpc::kUnreachable, "nobody waited for the daemon yet");
  return client_->call(method, std::move(params), patience);
}

std::string DaemonProcess::socket(std::string_view device) const {
  return folder() / fmt::format("{}.sock", device);
}

std::string DaemonProcess::device_tables(unsigned count, std::string_view keys) const {
  std::string text;
  for (unsigned device = 0; device < count; ++device) {
    const std::string name = fmt::format("vm{}", device);
    text += fmt::format("[[device]]\nname = \"{}\"\nsocket = \"{}\"\n{}", name, socket(name), keys);
  }
  return text;
}

std::string DaemonProcess::last_words() const {
  constexpr std::size_t kLines = 20;
  std::deque<std::string> lines;
  std::ifstream log(log_file());
  for (std::string line; std::getline(log, line);) {
    lines.push_back(line);
    if (lines.size() > kLines) lines.pop_front();
  }
  return fmt::format("{}\n{}", fmt::join(lines, "\n"), process_.ending());
}

}  // namespace vballoon::driver
