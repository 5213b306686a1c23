// SPDX-License-Identifier: BSD-3-Clause
#include "driver/process_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/units.hpp"

namespace vballoon::driver {
namespace {

/// The name that GuestRam gives its files.
constexpr std::string_view kGuestRam = "/memfd:guest-ram";
/// ... and DPDK the one of its memory, where that is no huge pages.
constexpr std::string_view kDpdkMemory = "/memfd:nohuge";

}  // namespace

Resident resident(pid_t process) {
  Resident resident;
  std::uint64_t* sum = &resident.own;
  std::ifstream smaps(fmt::format("/proc/{}/smaps", process));
  for (std::string line; std::getline(smaps, line);) {
    // A mapping's first line has its addresses, and its file at the end.
    if (line.find('-') < line.find(' ')) {
      const auto names = [&line](std::string_view file) { return line.find(file) != line.npos; };
      sum = names(kGuestRam)     ? &resident.guest
            : names(kDpdkMemory) ? &resident.dpdk
                                 : &resident.own;
    }
    if (line.starts_with("Rss:")) *sum += std::stoull(line.substr(4)) * kKiB;
  }
  return resident;
}

std::map<std::string, int> open_files(pid_t process) {
  std::map<std::string, int> kinds;
  std::error_code ignored;
  const std::filesystem::path folder = fmt::format("/proc/{}/fd", process);
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string target = std::filesystem::read_symlink(entry.path(), ignored).string();
    ++kinds[target.substr(0, target.find('['))];  // "socket:[123]" without its number
  }
  return kinds;
}

std::uint64_t thread_count(pid_t process) {
  std::error_code ignored;
  const std::filesystem::directory_iterator all(fmt::format("/proc/{}/task", process), ignored);
  return static_cast<std::uint64_t>(std::distance(begin(all), end(all)));
}

std::optional<std::filesystem::path> thread_named(pid_t process,
                                                  std::span<const std::string_view> names) {
  std::error_code ignored;
  const std::filesystem::path folder = fmt::format("/proc/{}/task", process);
  for (const auto& thread : std::filesystem::directory_iterator(folder, ignored)) {
    std::string name;
    std::getline(std::ifstream(thread.path() / "comm"), name);
    if (std::ranges::find(names, name) != names.end()) return thread.path();
  }
  return std::nullopt;
}

std::optional<std::uint64_t> on_cpu_ns(const std::filesystem::path& thread) {
  // Time on a cpu, time waiting for one, turns.
  std::ifstream schedstat(thread / "schedstat");
  std::uint64_t ns = 0;
  if (!(schedstat >> ns)) return std::nullopt;
  return ns;
}

}  // namespace vballoon::driver
