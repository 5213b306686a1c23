// SPDX-License-Identifier: BSD-3-Clause
#include "support/daemon.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>

#include "support/figures.hpp"

namespace vballoon::perf {
namespace {

constexpr std::chrono::seconds kPatience{60};

/// Of the same build as this program.
std::string own_program() {
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const auto path = here.parent_path() / "app" / "vballoond" / "vballoond";
  if (!std::filesystem::exists(path)) give_up(fmt::format("no {}: build it first", path.string()));
  return path.string();
}

std::string config_text(Lcore lcore, const MoreConfig& more) {
  std::string text = "[daemon]\nlog_level = \"warning\"\n";
  if (!more.state.empty()) text += fmt::format("state_dir = \"{}\"\n", more.state);
  text += "[eal]\nmemory_mib = 256\n";
  if (lcore == Lcore::kPolls) text += "[poll]\nidle = \"spin\"\n";
  return text + more.tables;
}

double thread_time(const std::filesystem::path& thread) {
  const auto ns = driver::on_cpu_ns(thread);
  if (!ns) give_up("no /proc/PID/task/TID/schedstat");
  return static_cast<double>(*ns);
}

}  // namespace

Daemon::Daemon(unsigned devices, Lcore lcore, const MoreConfig& more)
    : process_(more.program.empty() ? own_program() : more.program) {
  const std::string tables = process_.device_tables(devices, more.device_keys);
  or_give_up(process_.start({.config = config_text(lcore, more) + tables}));
}

driver::MessageSocket Daemon::connect(unsigned device) {
  const std::string path = process_.socket(fmt::format("vm{}", device));
  auto made = driver::MessageSocket::connect(path, driver::Deadline(kPatience));
  if (made) return *std::move(made);
  give_up(made.error().message + "; the daemon said:\n" + process_.last_words());
}

void Daemon::wait_until_ready() {
  or_give_up(process_.wait_until_ready(kPatience));
}

void Daemon::end() {
  if (!process_.stop(SIGTERM, kPatience)) give_up("the daemon does not end");
}

void Daemon::set_target(unsigned device, std::uint64_t bytes) {
  or_give_up(process_.call(
      "device.set", {{"name", fmt::format("vm{}", device)}, {"target_bytes", bytes}}, kPatience));
}

double Daemon::thread_ns(std::span<const std::string_view> names) const {
  const auto thread = driver::thread_named(process_.pid(), names);
  if (!thread) give_up(fmt::format("the daemon has no thread {}", fmt::join(names, ", nor ")));
  return thread_time(*thread);
}

double Daemon::control_ns() const {
  return thread_time(fmt::format("/proc/{0}/task/{0}", process_.pid()));  // the first thread
}

void raise_file_limit() {
  constexpr rlim_t kPlenty = 1 << 17;
  const rlimit plenty{kPlenty, kPlenty};
  if (::setrlimit(RLIMIT_NOFILE, &plenty) == 0) return;  // root may
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace vballoon::perf
