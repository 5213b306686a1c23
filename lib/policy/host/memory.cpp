// SPDX-License-Identifier: BSD-3-Clause
#include "policy/host/memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/units.hpp"
#include "policy/host/cgroup_memory.hpp"
#include "policy/host/figures.hpp"
#include "policy/host/kernel_file.hpp"
#include "policy/host/nodes.hpp"

namespace vballoon::policy {
namespace {

/// Watermarks change only when an operator changes them, and zoneinfo costs more to read than all
/// other files together.
constexpr unsigned kZonesEvery = 64;

void add_swap(MemoryFigures& figures, std::string_view vmstat) {
  figures.swap_in_bytes = bytes_after(vmstat, "pswpin", host_page_bytes());
  figures.swap_out_bytes = bytes_after(vmstat, "pswpout", host_page_bytes());
}

void add_watermarks(MemoryFigures& figures, const std::vector<Watermarks>& all) {
  if (all.empty()) return;
  Watermarks sums;
  for (const Watermarks& one : all) {
    sums.low = add_up(sums.low, one.low);
    sums.high = add_up(sums.high, one.high);
  }
  figures.watermark_low = sums.low;
  figures.watermark_high = sums.high;
}

void add_limit(MemoryFigures& figures, const CgroupFigures& cgroup) {
  figures.cgroup = cgroup;
  if (!cgroup.limit) return;
  figures.total = std::min(figures.total, *cgroup.limit);
  figures.free = std::min(figures.free, less(*cgroup.limit, cgroup.usage));
  figures.available = std::min(figures.available, *cgroup.room);
}

}  // namespace

struct MemoryReader::Files {
  explicit Files(Options given)
      : options(std::move(given)),
        meminfo(options.paths.proc + "/meminfo"),
        vmstat(options.paths.proc + "/vmstat"),
        zoneinfo(options.paths.proc + "/zoneinfo"),
        nodes(options.paths) {}

  [[nodiscard]] Result<MemoryFigures> read_meminfo();
  [[nodiscard]] const std::vector<Watermarks>& look_at_zones();
  [[nodiscard]] Result<void> find_cgroup();

  Options options;
  KernelFile meminfo;
  KernelFile vmstat;
  KernelFile zoneinfo;
  Nodes nodes;
  std::optional<CgroupMemory> cgroup;  // nothing while the cgroup is gone
  std::vector<Watermarks> watermarks;
  unsigned reads = 0;
  std::string buffer;
};

Result<MemoryFigures> MemoryReader::Files::read_meminfo() {
  const auto text = meminfo.read(buffer);
  if (!text) {
    return fail(Code::kHost, fmt::format("cannot read {}/meminfo: {}; is it mounted, and not with "
                                         "subset=pid?",
                                         options.paths.proc, std::strerror(errno)));
  }
  const auto total = bytes_after(*text, "MemTotal:", kKiB);
  const auto free = bytes_after(*text, "MemFree:", kKiB);
  const auto available = bytes_after(*text, "MemAvailable:", kKiB);
  if (!total || !free || !available) {
    return fail(Code::kHost, fmt::format("{}/meminfo does not say MemTotal, MemFree and "
                                         "MemAvailable",
                                         options.paths.proc));
  }
  MemoryFigures figures;
  figures.total = *total;
  figures.free = std::min(*free, *total);
  figures.available = std::min(*available, *total);
  figures.swap_total = bytes_after(*text, "SwapTotal:", kKiB).value_or(0);
  figures.swap_free =
      std::min(bytes_after(*text, "SwapFree:", kKiB).value_or(0), figures.swap_total);
  return figures;
}

const std::vector<Watermarks>& MemoryReader::Files::look_at_zones() {
  if (reads++ % kZonesEvery == 0 && zoneinfo.valid()) {
    if (const auto text = zoneinfo.read(buffer)) watermarks = read_watermarks(*text);
  }
  return watermarks;
}

Result<void> MemoryReader::Files::find_cgroup() {
  if (cgroup) return {};
  auto found = CgroupMemory::open(options.cgroup);
  if (!found) return tl::unexpected(std::move(found.error()));
  cgroup.emplace(std::move(*found));
  return {};
}

MemoryReader::MemoryReader(std::unique_ptr<Files> files) noexcept : files_(std::move(files)) {}
MemoryReader::MemoryReader(MemoryReader&&) noexcept = default;
MemoryReader& MemoryReader::operator=(MemoryReader&&) noexcept = default;
MemoryReader::~MemoryReader() = default;

Result<MemoryReader> MemoryReader::open(Options options) {
  MemoryReader reader(std::make_unique<Files>(std::move(options)));
  if (auto figures = reader.read(); !figures) return tl::unexpected(std::move(figures.error()));
  return reader;
}

Result<MemoryFigures> MemoryReader::read_machine() {
  auto figures = files_->read_meminfo();
  if (!figures) return figures;
  if (const auto vmstat = files_->vmstat.read(files_->buffer)) add_swap(*figures, *vmstat);
  const auto& watermarks = files_->look_at_zones();
  add_watermarks(*figures, watermarks);
  figures->nodes = files_->nodes.read_memory(watermarks, files_->buffer);
  figures->huge_pages = files_->nodes.read_pools();
  return figures;
}

Result<MemoryFigures> MemoryReader::read() {
  auto figures = read_machine();
  if (!figures || files_->options.cgroup.empty()) return figures;
  if (auto there = files_->find_cgroup(); !there) return tl::unexpected(std::move(there.error()));
  const auto cgroup = files_->cgroup->read(files_->buffer);
  if (!cgroup) {
    files_->cgroup.reset();  // a cgroup that is made anew has other files
    return tl::unexpected(cgroup.error());
  }
  add_limit(*figures, *cgroup);
  return figures;
}

}  // namespace vballoon::policy
