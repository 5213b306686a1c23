// SPDX-License-Identifier: BSD-3-Clause
#include "support/daemon.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "base/units.hpp"
#include "rpc/client.hpp"
#include "support/figures.hpp"

namespace vballoon::perf {
namespace {

constexpr std::chrono::seconds kPatience{60};

std::filesystem::path make_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "vbperf-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) give_up("mkdtemp failed");
  return name;
}

/// The name that driver::GuestRam gives its files.
constexpr std::string_view kGuestRam = "/memfd:guest-ram";

/// Of the same build as this program.
std::string program() {
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const auto path = here.parent_path() / "app" / "vballoond" / "vballoond";
  if (!std::filesystem::exists(path)) give_up(fmt::format("no {}: build it first", path.string()));
  return path.string();
}

/// Time on a cpu, time waiting for one, turns.
double on_cpu_ns(const std::filesystem::path& task) {
  std::ifstream schedstat(task / "schedstat");
  double ns = 0;
  if (!(schedstat >> ns)) give_up("no /proc/PID/task/TID/schedstat");
  return ns;
}

}  // namespace

Daemon::Daemon(unsigned devices, Lcore lcore, const MoreConfig& more) : folder_(make_folder()) {
  write_config(devices, lcore, more);
  launch();
}

Daemon::~Daemon() {
  end();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string Daemon::socket(unsigned device) const {
  return (folder_ / fmt::format("{}.sock", device)).string();
}

void Daemon::write_config(unsigned devices, Lcore lcore, const MoreConfig& more) const {
  std::ofstream config(folder_ / "config.toml");
  config << fmt::format("[daemon]\nrpc_socket = \"{}\"\nlog_level = \"warning\"\n",
                        (folder_ / "rpc.sock").string());
  if (!more.state.empty()) config << fmt::format("state_dir = \"{}\"\n", more.state);
  config << "[eal]\nmemory_mib = 256\n";
  if (lcore == Lcore::kPolls) config << "[poll]\nidle = \"spin\"\n";
  config << more.tables;
  for (unsigned device = 0; device < devices; ++device) {
    config << fmt::format("[[device]]\nname = \"vm{}\"\nsocket = \"{}\"\n{}", device,
                          socket(device), more.device_keys);
  }
}

void Daemon::launch() {
  std::array<std::string, 4> words{program(), "--dev", "--config",
                                   (folder_ / "config.toml").string()};
  const std::string log = (folder_ / "log").string();
  pid_ = ::fork();
  if (pid_ < 0) give_up("fork failed");
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  std::array<char*, words.size() + 1> argv{};
  for (std::size_t i = 0; i < words.size(); ++i) argv[i] = words[i].data();
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

driver::MessageSocket Daemon::connect(unsigned device) {
  const driver::Deadline deadline(kPatience);
  auto made = driver::MessageSocket::connect(socket(device), deadline);
  if (made) return *std::move(made);
  tell_and_give_up(made.error().message);
}

void Daemon::wait_until_ready() const {
  const driver::Deadline deadline(kPatience);
  while (!deadline.passed()) {
    std::ifstream log(folder_ / "log");
    for (std::string line; std::getline(log, line);) {
      if (line == "vballoond: ready") return;
    }
    ::usleep(2'000);
  }
  tell_and_give_up("the daemon does not come up");
}

void Daemon::end() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void Daemon::tell_and_give_up(const std::string& why) const {
  std::ifstream log(folder_ / "log");
  for (std::string line; std::getline(log, line);) progress("vballoond: " + line);
  give_up(why);
}

void Daemon::set_target(unsigned device, std::uint64_t bytes) const {
  auto client = or_give_up(rpc::Client::connect((folder_ / "rpc.sock").string()));
  const auto answer = client.call(
      "device.set", {{"name", fmt::format("vm{}", device)}, {"target_bytes", bytes}}, kPatience);
  if (!answer) give_up(answer.error().message);
}

double Daemon::thread_ns(std::span<const std::string_view> names) const {
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid_))) {
    std::string comm;
    std::getline(std::ifstream(task.path() / "comm"), comm);
    if (std::ranges::find(names, comm) != names.end()) return on_cpu_ns(task.path());
  }
  give_up(fmt::format("the daemon has no thread {}", fmt::join(names, ", nor ")));
}

double Daemon::control_ns() const {
  return on_cpu_ns(fmt::format("/proc/{0}/task/{0}", pid_));  // the first thread
}

Resident Daemon::resident() const {
  std::ifstream smaps(fmt::format("/proc/{}/smaps", pid_));
  Resident resident;
  bool guest = false;
  for (std::string line; std::getline(smaps, line);) {
    // A mapping's first line has its addresses, and its file at the end.
    const bool head = line.find('-') < line.find(' ');
    if (head) guest = line.find(kGuestRam) != std::string::npos;
    if (!line.starts_with("Rss:")) continue;
    (guest ? resident.guest : resident.own) += std::stoull(line.substr(4)) * kKiB;
  }
  return resident;
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
