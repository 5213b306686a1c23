// SPDX-License-Identifier: BSD-3-Clause
#include "daemon.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

namespace vballoon::soak {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAnswer{10'000};
constexpr milliseconds kStart{20'000};
/// The name that driver::GuestRam gives its files.
constexpr std::string_view kGuestRam = "/memfd:guest-ram";
/// ... and DPDK the one of its memory, where that is no huge pages.
constexpr std::string_view kDpdkMemory = "/memfd:nohuge";

std::filesystem::path make_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "vbsoak-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  return name;
}

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

std::uint64_t entries(const std::filesystem::path& folder) {
  std::error_code ignored;
  const std::filesystem::directory_iterator all(folder, ignored);
  return static_cast<std::uint64_t>(std::distance(begin(all), end(all)));
}

/// "socket:[123]" and "/memfd:guest-ram (deleted)" without what differs from one to the next.
std::map<std::string, int> kinds_of_files(const std::filesystem::path& folder) {
  std::map<std::string, int> kinds;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string target = std::filesystem::read_symlink(entry.path(), ignored).string();
    ++kinds[target.substr(0, target.find('['))];
  }
  return kinds;
}

void read_smaps(const std::string& path, Usage* usage) {
  std::ifstream smaps(path);
  std::uint64_t* sum = &usage->own_bytes;
  for (std::string line; std::getline(smaps, line);) {
    // A mapping's first line has its addresses, and its file at the end.
    const bool head = line.find('-') < line.find(' ');
    const auto names = [&line](std::string_view file) {
      return line.find(file) != std::string::npos;
    };
    if (head) {
      sum = names(kGuestRam)     ? &usage->guest_bytes
            : names(kDpdkMemory) ? &usage->dpdk_bytes
                                 : &usage->own_bytes;
    }
    if (line.starts_with("Rss:")) *sum += std::stoull(line.substr(4)) * 1024;
  }
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

Daemon::Daemon(const std::string& program, unsigned hostile, Lcores lcores)
    : folder_(make_folder()) {
  write_config(hostile + 1, lcores);
  launch(program);
  if (lcores == Lcores::kOneThatSpins) keep_off(two_cpus().back());
}

Daemon::~Daemon() {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string Daemon::socket(unsigned device) const {
  return (folder_ / fmt::format("{}.sock", device)).string();
}

void Daemon::write_config(unsigned devices, Lcores lcores) const {
  const bool spins = lcores == Lcores::kOneThatSpins;
  std::vector<unsigned> cpus = two_cpus();
  if (spins) cpus = {cpus.back()};
  std::ofstream config(folder_ / "config.toml");
  config << fmt::format("[daemon]\nrpc_socket = \"{}\"\n", (folder_ / "rpc").string())
         << fmt::format("[poll]\nlcores = [{}]\nidle = \"{}\"\n", fmt::join(cpus, ", "),
                        spins ? "spin" : "backoff");
  for (unsigned device = 0; device < devices; ++device) {
    config << fmt::format("[[device]]\nname = \"vm{}\"\nsocket = \"{}\"\n", device, socket(device));
  }
}

void Daemon::launch(const std::string& program) {
  std::array<std::string, 4> words{program, "--dev", "--config",
                                   (folder_ / "config.toml").string()};
  const std::string log = (folder_ / "log").string();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
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

void Daemon::wait_until_ready() {
  const auto end = std::chrono::steady_clock::now() + kStart;
  while (alive() && std::chrono::steady_clock::now() < end) {
    if (auto client = rpc::Client::connect((folder_ / "rpc").string())) {
      client_.emplace(*std::move(client));
      if (list()) return;
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
  throw std::runtime_error("vballoond does not start; it said:\n" + last_words());
}

bool Daemon::alive() {
  int status = 0;
  if (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    pid_ = -1;
    ending_ = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                  : fmt::format("exit status {}", WEXITSTATUS(status));
  }
  return pid_ > 0;
}

std::optional<rpc::Json> Daemon::ask(const char* method, rpc::Json params) {
  if (!client_) return std::nullopt;
  auto answer = client_->call(method, std::move(params), kAnswer);
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
  const std::string process = fmt::format("/proc/{}", pid_);
  Usage usage;
  read_smaps(process + "/smaps", &usage);
  usage.threads = entries(process + "/task");
  usage.files = entries(process + "/fd");
  usage.kinds = kinds_of_files(process + "/fd");
  std::ifstream log(folder_ / "log");
  usage.log_lines = static_cast<std::uint64_t>(
      std::count(std::istreambuf_iterator<char>(log), std::istreambuf_iterator<char>(), '\n'));
  return usage;
}

std::string Daemon::last_words() const {
  constexpr std::size_t kLines = 20;
  std::deque<std::string> lines;
  std::ifstream log(folder_ / "log");
  for (std::string line; std::getline(log, line);) {
    lines.push_back(line);
    if (lines.size() > kLines) lines.pop_front();
  }
  return fmt::format("{}\n{}", fmt::join(lines, "\n"), ending_);
}

}  // namespace vballoon::soak
