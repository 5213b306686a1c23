// SPDX-License-Identifier: BSD-3-Clause
#include "policy/host/cgroup_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "base/units.hpp"
#include "policy/host/figures.hpp"

namespace vballoon::policy {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDeepest = 64;
/// Version 1 writes "no limit" as the largest number of pages that it can count.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 62;
constexpr const char* kLimitV1 = "memory.limit_in_bytes";
constexpr const char* kMarkV2 = "cgroup.controllers";

bool is_there(const fs::path& path) {
  std::error_code none;
  return fs::exists(path, none);
}

tl::unexpected<Status> refuse(const std::string& folder) {
  return fail(Code::kInvalidArgument,
              fmt::format("cgroup {} does not count memory: it has neither memory.limit_in_bytes "
                          "(version 1) nor memory.current (version 2); name the folder of a memory "
                          "cgroup, or enable the memory controller in its parent",
                          folder));
}

}  // namespace

Result<CgroupMemory> CgroupMemory::open(const std::string& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return fail(Code::kNotFound, fmt::format("there is no cgroup {}; make it, or correct "
                                             "policy.cgroup",
                                             folder));
  }
  const bool v1 = is_there(fs::path(folder) / kLimitV1);
  const bool v2 = !v1 && is_there(fs::path(folder) / kMarkV2);
  if (!v1 && !v2) return refuse(folder);
  CgroupMemory memory(folder, v2);
  if (!memory.add_levels()) {
    return fail(Code::kHost,
                fmt::format("cannot read cgroup {}: {}", folder, std::strerror(errno)));
  }
  if (!memory.levels_.front().stat.valid() || !memory.levels_.front().usage.valid()) {
    return refuse(folder);
  }
  return memory;
}

CgroupMemory::Level CgroupMemory::open_level(const std::string& folder) const {
  const auto file = [&](const char* name) { return KernelFile(folder + "/" + name); };
  if (!v2_) {
    return Level{file(kLimitV1), {}, file("memory.usage_in_bytes"), file("memory.stat")};
  }
  return Level{file("memory.max"), file("memory.high"), file("memory.current"),
               file("memory.stat")};
}

bool CgroupMemory::add_levels() {
  std::error_code error;
  fs::path at = fs::canonical(folder_, error);
  if (error) {
    errno = error.value();
    return false;
  }
  if (v2_) swap_ = KernelFile((at / "memory.swap.current").native());
  const char* const mark = v2_ ? kMarkV2 : kLimitV1;
  while (levels_.size() < kDeepest && is_there(at / mark)) {
    levels_.push_back(open_level(at.native()));
    at = at.parent_path();
  }
  return !levels_.empty();  // the cgroup may have been removed in between
}

tl::unexpected<Status> CgroupMemory::refused(int error) const {
  if (error == ENODEV) return fail(Code::kNotFound, fmt::format("cgroup {} was removed", folder_));
  return fail(Code::kHost,
              fmt::format("cgroup {} cannot be read: {}", folder_, std::strerror(error)));
}

std::optional<std::uint64_t> CgroupMemory::limit_of(const Level& level) const {
  std::uint64_t lowest = kNoLimit;
  for (const KernelFile* const file : {&level.limit, &level.high}) {
    if (!file->valid()) continue;  // the root has no such file
    const auto limit = file->number();
    if (!limit) return std::nullopt;
    lowest = std::min(lowest, *limit);
  }
  return lowest;
}

std::optional<CgroupMemory::Charged> CgroupMemory::read_charged(const Level& level,
                                                                std::string& buffer,
                                                                std::string_view& stat) const {
  const auto usage = level.usage.number();
  const auto text = usage ? level.stat.read(buffer) : std::nullopt;
  if (!text) return std::nullopt;
  stat = *text;
  // Version 1 also has figures of the cgroup without its children; these lack the prefix "total_".
  // Shared memory is on the lists of anonymous pages, so the lists of file pages do not have it.
  const auto list = [&](std::string_view v1, std::string_view v2) {
    return bytes_after(stat, v2_ ? v2 : v1, 1).value_or(0);
  };
  const std::uint64_t file = add_up(list("total_inactive_file", "inactive_file"),
                                    list("total_active_file", "active_file"));
  return Charged{*usage, std::min(file, *usage)};
}

void CgroupMemory::meet_limit(CgroupFigures& figures, std::uint64_t limit, const Charged& charged) {
  if (limit >= kNoLimit) return;
  const std::uint64_t room = less(limit, charged.usage - charged.file);
  figures.limit = std::min(figures.limit.value_or(limit), limit);
  figures.room = std::min(figures.room.value_or(room), room);
}

bool CgroupMemory::meet_parents(CgroupFigures& figures, std::string& buffer) const {
  for (std::size_t i = 1; i < levels_.size(); ++i) {
    const auto limit = limit_of(levels_[i]);
    if (!limit) return false;
    if (*limit >= kNoLimit) continue;  // what is charged does not matter
    std::string_view stat;
    const auto charged = read_charged(levels_[i], buffer, stat);
    if (!charged) return false;
    meet_limit(figures, *limit, *charged);
  }
  return true;
}

void CgroupMemory::read_swap(CgroupFigures& figures, std::string_view stat) const {
  figures.swap = v2_ ? swap_.number() : number_after(stat, "total_swap");
  const auto pages = [&](std::string_view word) {
    return bytes_after(stat, word, host_page_bytes());
  };
  if (v2_) {
    figures.swap_in_bytes = pages("pswpin");
    figures.swap_out_bytes = pages("pswpout");
  }
  // Else the anonymous pages that came back from swap stand for it.
  if (!figures.swap_in_bytes) {
    figures.swap_in_bytes =
        pages(v2_ ? "workingset_refault_anon" : "total_workingset_refault_anon");
  }
}

Result<CgroupFigures> CgroupMemory::read(std::string& buffer) const {
  std::string_view stat;
  const auto own = read_charged(levels_.front(), buffer, stat);
  if (!own) return refused(errno);
  CgroupFigures figures;
  figures.usage = own->usage;
  figures.file = own->file;
  read_swap(figures, stat);
  // A container may hide parents. Their limits show only in this figure.
  if (!v2_)
    meet_limit(figures, number_after(stat, "hierarchical_memory_limit").value_or(kNoLimit), *own);
  const auto limit = limit_of(levels_.front());
  if (!limit) return refused(errno);
  meet_limit(figures, *limit, *own);
  if (!meet_parents(figures, buffer)) return refused(errno);
  return figures;
}

}  // namespace vballoon::policy
