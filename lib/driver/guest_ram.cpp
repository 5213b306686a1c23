// SPDX-License-Identifier: BSD-3-Clause
#include "driver/guest_ram.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/check.hpp"
#include "base/size_text.hpp"
#include "base/units.hpp"

namespace vballoon::driver {
namespace {

unsigned memfd_flags(std::uint64_t huge_page) noexcept {
  if (huge_page == 0) return MFD_CLOEXEC;
  const auto log2 = static_cast<unsigned>(std::countr_zero(huge_page));
  return MFD_CLOEXEC | MFD_HUGETLB | (log2 << MFD_HUGE_SHIFT);
}

tl::unexpected<Status> no_memory(const char* doing, std::uint64_t bytes) {
  return fail(Code::kHost,
              fmt::format("guest memory of {} bytes: {}: {}", bytes, doing, std::strerror(errno)));
}

/// The kernel says of a pool that is too small that it cannot allocate memory, and of a size that
/// it does not have that the argument, or the device, is wrong.
tl::unexpected<Status> no_huge_pages(std::uint64_t bytes, std::uint64_t huge_page) {
  const std::string pool = fmt::format("/sys/kernel/mm/hugepages/hugepages-{}kB", huge_page / kKiB);
  std::uint64_t free = 0;
  if (!(std::ifstream(pool + "/free_hugepages") >> free)) {
    return fail(Code::kInvalidArgument,
                fmt::format("this kernel has no huge pages of {}; {} names "
                            "its sizes",
                            format_size(huge_page), "/sys/kernel/mm/hugepages"));
  }
  return fail(Code::kHost,
              fmt::format("guest memory of {} takes {} huge pages of {}, and {} are free; add some "
                          "to {}/nr_hugepages",
                          format_size(bytes), (bytes + huge_page - 1) / huge_page,
                          format_size(huge_page), free, pool));
}

}  // namespace

RamPlan flat_ram(std::uint64_t bytes) {
  return RamPlan{.regions = {{.first = Gpa{0}, .bytes = bytes}}};
}

RamPlan ram_with_hole(std::uint64_t bytes, std::uint64_t below, std::uint64_t hole) {
  constexpr std::uint64_t kLead = 2 * kMiB;
  return RamPlan{.regions = {{.first = Gpa{0}, .bytes = below, .file = 0, .file_offset = kLead},
                             {.first = Gpa{below + hole},
                              .bytes = bytes - below,
                              .file = 0,
                              .file_offset = kLead + below}}};
}

void GuestRam::Unmap::operator()(std::byte* address) const noexcept {
  ::munmap(address, bytes);
}

GuestRam::~GuestRam() = default;

Result<GuestRam> GuestRam::create(const RamPlan& plan) {
  GuestRam ram;
  ram.regions_ = plan.regions;
  std::vector<std::uint64_t> lengths;
  for (const RamRegion& region : plan.regions) {
    if (lengths.size() <= region.file) lengths.resize(region.file + 1);
    lengths[region.file] = std::max(lengths[region.file], region.file_offset + region.bytes);
  }
  for (const std::uint64_t length : lengths) {
    if (auto added = ram.add_file(length, plan); !added) {
      return tl::unexpected(added.error());
    }
  }
  if (auto built = ram.rebuild_map(); !built) return tl::unexpected(built.error());
  return ram;
}

Result<void> GuestRam::add_file(std::uint64_t bytes, const RamPlan& plan) {
  File file;
  file.fd = UniqueFd(plan.folder.empty()
                         ? ::memfd_create("guest-ram", memfd_flags(plan.huge_page))
                         : ::open(plan.folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file.fd.valid() && plan.huge_page != 0) return no_huge_pages(bytes, plan.huge_page);
  if (!file.fd.valid()) return no_memory(plan.folder.empty() ? "memfd_create" : "open", bytes);
  if (::ftruncate(file.fd.get(), static_cast<off_t>(bytes)) != 0) {
    return no_memory("ftruncate", bytes);
  }
  void* const base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd.get(), 0);
  if (base == MAP_FAILED && plan.huge_page != 0) return no_huge_pages(bytes, plan.huge_page);
  if (base == MAP_FAILED) return no_memory("mmap", bytes);
  file.base = {static_cast<std::byte*>(base), Unmap{bytes}};
  files_.push_back(std::move(file));
  return {};
}

Result<void> GuestRam::rebuild_map() {
  std::vector<gmem::RegionSpec> specs;
  for (const RamRegion& region : regions_) {
    const File& file = files_[region.file];
    specs.push_back({.first = region.first,
                     .bytes = region.bytes,
                     .host = file.base.get() + region.file_offset,
                     .fd = file.fd.get(),
                     .file_offset = region.file_offset});
  }
  auto map = gmem::GuestMemory::create(specs);
  if (!map) return tl::unexpected(map.error());
  map_ = *std::move(map);
  return {};
}

Result<void> GuestRam::plug(Gpa first, std::uint64_t bytes) {
  if (auto added = add_file(bytes, RamPlan{}); !added) return added;
  const auto file = static_cast<unsigned>(files_.size() - 1);
  regions_.push_back({.first = first, .bytes = bytes, .file = file});
  return rebuild_map();
}

Result<void> GuestRam::unplug(Gpa first) {
  const auto found = std::find_if(regions_.begin(), regions_.end(),
                                  [first](const RamRegion& r) { return r.first == first; });
  if (found == regions_.end()) {
    return fail(Code::kNotFound, fmt::format("no memory region begins at {:#x}", first.value));
  }
  regions_.erase(found);
  return rebuild_map();
}

std::vector<wire::MemoryRegion> GuestRam::table() const {
  std::vector<wire::MemoryRegion> table;
  for (const RamRegion& region : regions_) {
    std::byte* const host = files_[region.file].base.get() + region.file_offset;
    table.push_back({.guest_address = region.first.value,
                     .size = region.bytes,
                     .user_address = reinterpret_cast<std::uintptr_t>(host),
                     .mmap_offset = region.file_offset});
  }
  return table;
}

std::vector<int> GuestRam::table_fds() const {
  std::vector<int> fds;
  for (const RamRegion& region : regions_) fds.push_back(files_[region.file].fd.get());
  return fds;
}

std::vector<Pfn> GuestRam::pages() const {
  std::vector<Pfn> all;
  all.reserve(map_->pages());
  for (const gmem::Region& region : map_->regions()) {
    const std::uint64_t first = bytes_to_pages(region.first.value);
    for (std::uint64_t i = 0; i < bytes_to_pages(region.bytes); ++i) {
      all.push_back(Pfn{static_cast<std::uint32_t>(first + i)});
    }
  }
  return all;
}

std::span<std::byte> GuestRam::at(Gpa gpa, std::uint64_t bytes) const noexcept {
  const gmem::Region* const region = map_->find(gpa);
  if (region == nullptr) return {};
  const std::uint64_t offset = gpa.value - region->first.value;
  if (bytes > region->bytes - offset) return {};
  return {region->host + offset, bytes};
}

std::span<std::byte> GuestRam::page(Pfn pfn) const noexcept {
  const std::span<std::byte> bytes = at(to_gpa(pfn), kPageSize);
  VB_CHECK(!bytes.empty());
  return bytes;
}

std::uint64_t GuestRam::allocated_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const File& file : files_) {
    struct stat status {};
    if (::fstat(file.fd.get(), &status) != 0) continue;
    bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;  // always 512, see stat(2)
  }
  return bytes;
}

std::uint64_t GuestRam::file_position(const gmem::Region& region, Pfn pfn) const noexcept {
  return region.file_offset + (to_gpa(pfn).value - region.first.value);
}

bool GuestRam::is_allocated(Pfn pfn) const noexcept {
  const gmem::Region* const region = map_->find(pfn);
  VB_CHECK(region != nullptr);
  const auto position = static_cast<off_t>(file_position(*region, pfn));
  return ::lseek(region->fd.get(), position, SEEK_DATA) == position;
}

bool GuestRam::reads_zero(Pfn pfn) const noexcept {
  const gmem::Region* const region = map_->find(pfn);
  VB_CHECK(region != nullptr);
  std::array<std::byte, kPageSize> bytes;
  // pread, not the mapping: a read fault would allocate the page again.
  const auto position = static_cast<off_t>(file_position(*region, pfn));
  if (::pread(region->fd.get(), bytes.data(), bytes.size(), position) != kPageSize) return false;
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace vballoon::driver
