// SPDX-License-Identifier: BSD-3-Clause
#include "gmem/memory_charge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace vballoon::gmem {
namespace {

/// Where version 2 is mounted: alone, or beside version 1.
constexpr const char* kMounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool has_word(std::string_view text, std::string_view word, char between) {
  while (!text.empty()) {
    const std::string_view next = text.substr(0, text.find_first_of(std::string{between, '\n'}));
    if (next == word) return true;
    text.remove_prefix(std::min(text.size(), next.size() + 1));
  }
  return false;
}

/// One that cannot be read is taken to count: what is charged there is charged nowhere else.
bool counts_by_itself(const std::string& path, std::string_view controller) {
  for (const char* mount : kMounts) {
    const std::string file = mount + path + "/cgroup.controllers";
    std::error_code none;
    if (std::filesystem::exists(file, none)) return has_word(text_of(file), controller, ' ');
  }
  return true;
}

/// Of a text that outlives it.
struct Hierarchy {
  std::string_view controllers;  // empty: version 2
  std::string_view path;
};

std::vector<Hierarchy> hierarchies(std::string_view cgroups) {
  std::vector<Hierarchy> found;
  while (!cgroups.empty()) {
    const std::string_view line = cgroups.substr(0, cgroups.find('\n'));
    cgroups.remove_prefix(std::min(cgroups.size(), line.size() + 1));
    const std::size_t number = line.find(':');
    const std::size_t names = number == line.npos ? line.npos : line.find(':', number + 1);
    if (names == line.npos) continue;
    found.push_back({line.substr(number + 1, names - number - 1), line.substr(names + 1)});
  }
  return found;
}

/// The nearest cgroup of version 2 for which the controller counts.
std::string nearest(std::string path, const std::function<bool(const std::string&)>& counts) {
  while (path.size() > 1 && !counts(path)) {
    path.resize(path.rfind('/'));
  }
  return path.empty() ? "/" : path;
}

/// Whether any cgroup but the root has the controller, which all are below.
bool counted_anywhere(std::string_view controller) {
  const std::string cgroups = text_of("/proc/self/cgroup");
  for (const Hierarchy& one : hierarchies(cgroups)) {
    if (has_word(one.controllers, controller, ',')) return true;
  }
  for (const char* mount : kMounts) {
    const std::string root = mount;
    std::error_code none;
    if (!std::filesystem::exists(root + "/cgroup.controllers", none)) continue;
    // The root of a container is one that others may be beside.
    return std::filesystem::exists(root + "/cgroup.type", none) ||
           has_word(text_of(root + "/cgroup.subtree_control"), controller, ' ');
  }
  return false;
}

std::string why_elsewhere(pid_t other, std::string_view controller) {
  if (!counted_anywhere(controller)) return {};
  if (other == 0) return "the process of its VMM is not known, nor whom its memory is charged to";
  const auto counts = [&](const std::string& path) { return counts_by_itself(path, controller); };
  const std::string theirs =
      paying_cgroup(text_of(fmt::format("/proc/{}/cgroup", other)), controller, counts);
  if (theirs.empty()) {
    return fmt::format(
        "/proc/{}/cgroup of its VMM cannot be read, which tells whom its memory is "
        "charged to; a unit with ProtectProc=invisible hides it from a daemon of "
        "another user",
        other);
  }
  const std::string ours = paying_cgroup(text_of("/proc/self/cgroup"), controller, counts);
  if (ours == theirs) return {};
  return fmt::format(
      "its memory would be charged to cgroup {} of this daemon, and not to {} of its "
      "VMM (controller {})",
      ours, theirs, controller);
}

/// From Linux 6.7 on the memory controller may count huge pages as well.
bool memory_counts_huge_pages() {
  return text_of("/proc/self/mounts").find("memory_hugetlb_accounting") != std::string::npos;
}

}  // namespace

std::string paying_cgroup(std::string_view cgroups, std::string_view controller,
                          const std::function<bool(const std::string& path)>& counts) {
  const std::vector<Hierarchy> all = hierarchies(cgroups);
  const auto version_1 = std::find_if(all.begin(), all.end(), [&](const Hierarchy& one) {
    return has_word(one.controllers, controller, ',');
  });
  if (version_1 != all.end()) return std::string(version_1->path);
  const auto version_2 = std::find_if(all.begin(), all.end(),
                                      [](const Hierarchy& one) { return one.controllers.empty(); });
  if (version_2 != all.end()) return nearest(std::string(version_2->path), counts);
  return all.empty() ? std::string() : "/";
}

std::string charged_elsewhere(pid_t other, bool huge_pages) {
  if (!huge_pages) return why_elsewhere(other, "memory");
  std::string why = why_elsewhere(other, "hugetlb");
  if (why.empty() && memory_counts_huge_pages()) why = why_elsewhere(other, "memory");
  return why;
}

}  // namespace vballoon::gmem
