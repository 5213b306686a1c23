// SPDX-License-Identifier: BSD-3-Clause
#include "daemon.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

namespace vballoon::soak {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAnswer{10'000};
constexpr milliseconds kStart{20'000};

/// The first cpus that this process may use: two, or one where there is no more.
std::vector<unsigned> two_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof(set), &set);
  std::vector<unsigned> cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE && cpus.size() < 2; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

/// Of this process and all that it starts from now on.
void keep_off(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof(set), &set);
  CPU_CLR(cpu, &set);
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) throw std::runtime_error("one cpu only");
}

/// Of a daemon whose lcores run on the first two cpus, or one that spins alone on the last of them.
std::string poll_table(Lcores lcores) {
  const bool spins = lcores == Lcores::kOneThatSpins;
  std::vector<unsigned> cpus = two_cpus();
  if (spins) cpus = {cpus.back()};
  return fmt::format("[poll]\nlcores = [{}]\nidle = \"{}\"\n", fmt::join(cpus, ", "),
                     spins ? "spin" : "backoff");
}

std::uint64_t lines_of(const std::filesystem::path& file) {
  std::ifstream text(file);
  return static_cast<std::uint64_t>(
      std::count(std::istreambuf_iterator<char>(text), std::istreambuf_iterator<char>(), '\n'));
}

}  // namespace

std::string more_files(const Usage& before, const Usage& now) {
  std::string text;
  for (const auto& [kind, count] : now.kinds) {
    const auto was = before.kinds.find(kind);
    const int more = count - (was == before.kinds.end() ? 0 : was->second);
    if (more > 0) text += fmt::format(" {} more {};", more, kind);
  }
  return text;
}

Daemon::Daemon(const std::string& program, unsigned hostile, Lcores lcores) : process_(program) {
  const auto started =
      process_.start({.config = poll_table(lcores) + process_.device_tables(hostile + 1)});
  if (!started) throw std::runtime_error(started.error().message);
  if (lcores == Lcores::kOneThatSpins) keep_off(two_cpus().back());
}

std::string Daemon::socket(unsigned device) const {
  return process_.socket(fmt::format("vm{}", device));
}

void Daemon::wait_until_ready() {
  const auto ready = process_.wait_until_ready(kStart);
  if (!ready) throw std::runtime_error(ready.error().message);
}

std::optional<rpc::Json> Daemon::ask(const char* method, rpc::Json params) {
  auto answer = process_.call(method, std::move(params), kAnswer);
  if (!answer) return std::nullopt;
  return *std::move(answer);
}

std::optional<rpc::Json> Daemon::list() {
  return ask("device.list", rpc::Json::object());
}

std::optional<rpc::Json> Daemon::show(unsigned device) {
  return ask("device.show", {{"name", fmt::format("vm{}", device)}});
}

Usage Daemon::usage() const {
  Usage usage;
  usage.resident = driver::resident(pid());
  usage.threads = driver::thread_count(pid());
  usage.kinds = driver::open_files(pid());
  for (const auto& [kind, count] : usage.kinds) usage.files += static_cast<std::uint64_t>(count);
  usage.log_lines = lines_of(process_.log_file());
  return usage;
}

}  // namespace vballoon::soak
