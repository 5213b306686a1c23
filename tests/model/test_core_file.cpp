// SPDX-License-Identifier: BSD-3-Clause
//
// A core file of the daemon holds nothing of its guests' memory.
// Source: core(5); proc_pid_smaps(5), VmFlags: "dd", not in a core file.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

constexpr std::string_view kSecret = "the guest's own affair, told to nobody else: 7c1e5d90";

/// Mappings with this name, and whether each is kept out of core files.
std::vector<bool> kept_out(pid_t pid, const std::string& name) {
  std::ifstream smaps("/proc/" + std::to_string(pid) + "/smaps");
  std::vector<bool> all;
  bool here = false;
  for (std::string line; std::getline(smaps, line);) {
    const bool head = line.find('-') < line.find(' ') && line.find(':') > line.find(' ');
    if (head) here = line.find(name) != std::string::npos;
    if (here && line.starts_with("VmFlags:"))
      all.push_back((line + " ").find(" dd ") != std::string::npos);
  }
  return all;
}

bool holds(const std::filesystem::path& file, std::string_view text) {
  std::ifstream in(file, std::ios::binary);
  std::string bytes(16 * kMiB, '\0');
  std::string tail;
  while (in.read(bytes.data(), static_cast<std::streamsize>(bytes.size())) || in.gcount() > 0) {
    const std::string here = tail + bytes.substr(0, static_cast<std::size_t>(in.gcount()));
    if (here.find(text) != std::string::npos) return true;
    tail = here.substr(here.size() - std::min(here.size(), text.size()));
  }
  return false;
}

/// The daemons of a test start in a folder of their own, and may leave a core file there.
class CoreFile : public ::testing::Test {
 protected:
  CoreFile() {
    ::getrlimit(RLIMIT_CORE, &before_);
    const rlimit all{before_.rlim_max, before_.rlim_max};
    ::setrlimit(RLIMIT_CORE, &all);
    std::filesystem::current_path(folder_.path());
  }
  ~CoreFile() override {
    std::filesystem::current_path(home_);
    ::setrlimit(RLIMIT_CORE, &before_);
  }
  /// Whether it is a file in the process's own folder.
  static bool cores_are_files_here() {
    std::string pattern;
    std::getline(std::ifstream("/proc/sys/kernel/core_pattern"), pattern);
    rlimit limit{};
    ::getrlimit(RLIMIT_CORE, &limit);
    return !pattern.empty() && pattern.find_first_of("|/@") == std::string::npos &&
           limit.rlim_cur == RLIM_INFINITY;
  }
  [[nodiscard]] std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      all.push_back(entry.path());
    }
    return all;
  }

  const std::filesystem::path home_ = std::filesystem::current_path();
  TemporaryFolder folder_;
  rlimit before_{};
};

TEST_F(CoreFile, HoldsNothingOfAGuest) {
  Daemon daemon({"vm"});
  const auto ram = must(GuestRam::create(driver::ram_with_hole(32 * kMiB, 8 * kMiB, 16 * kMiB)));
  const auto driver = connect(daemon.socket("vm"), ram);
  for (const Pfn pfn : usable_pages(ram, *driver)) {
    std::copy(kSecret.begin(), kSecret.end(), reinterpret_cast<char*>(ram.page(pfn).data()));
  }
  must(driver->inflate(std::vector<Pfn>{Pfn{1000}}));
  const auto mappings = kept_out(daemon.pid(), "/memfd:guest-ram");
  EXPECT_GE(mappings.size(), 2U);
  EXPECT_EQ(std::count(mappings.begin(), mappings.end(), false), 0);
  // A sanitizer lets no core be written: its own memory makes it terabytes large.
  const bool sanitized = daemon.log().find("this build has a sanitizer") != std::string::npos;
  if (sanitized || !cores_are_files_here()) return;
  daemon.restart(SIGABRT);
  const auto cores = files();
  ASSERT_EQ(cores.size(), 1U) << "no core file";
  EXPECT_TRUE(holds(cores[0], "vm.sock")) << "of the daemon itself it has everything";
  EXPECT_FALSE(holds(cores[0], kSecret));
}

}  // namespace
}  // namespace vballoon::model
