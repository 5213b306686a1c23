// SPDX-License-Identifier: BSD-3-Clause
#include "gmem/guest_memory.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "base/copy_once.hpp"

namespace vballoon::gmem {
namespace {

Result<void> check_shape(const RegionSpec& spec) {
  const auto complain = [&spec](const char* what) {
    return fail(Code::kInvalidArgument, fmt::format("memory region at {:#x} of {:#x} bytes {}",
                                                    spec.first.value, spec.bytes, what));
  };
  if (spec.bytes == 0) return complain("is empty");
  if (spec.first.value % kPageSize != 0 || spec.bytes % kPageSize != 0) {
    return complain("is not a whole number of 4 KiB pages");
  }
  if (spec.first.value + spec.bytes < spec.first.value) return complain("wraps around");
  if (spec.host == nullptr) return complain("is not mapped");
  return {};
}

Region make_region(const RegionSpec& spec) {
  Region region;
  region.first = spec.first;
  region.bytes = spec.bytes;
  region.host = spec.host;
  region.file_offset = spec.file_offset;
  if (spec.fd >= 0) {
    region.fd = UniqueFd::duplicate(spec.fd);
    region.backing = inspect_backing(region.fd.get());
  }
  return region;
}

/// Whether a region at a lower address is of the same file.
/// @param regions  ascending by address; `region` is one of them.
bool has_file_below(std::span<const Region> regions, const Region& region) {
  return std::any_of(regions.data(), &region, [&region](const Region& below) {
    return below.backing.same_file(region.backing);
  });
}

}  // namespace

Result<std::shared_ptr<const GuestMemory>> GuestMemory::create(std::span<const RegionSpec> specs) {
  const std::shared_ptr<GuestMemory> map(new GuestMemory);
  for (const RegionSpec& spec : specs) {
    if (auto shape = check_shape(spec); !shape) return tl::unexpected(shape.error());
    map->regions_.push_back(make_region(spec));
    if (spec.fd >= 0 && !map->regions_.back().fd.valid()) {
      return fail(Code::kHost,
                  fmt::format("no file descriptor is left for the memory region at {:#x}; "
                              "raise the limit (ulimit -n, LimitNOFILE=)",
                              spec.first.value));
    }
  }
  std::sort(map->regions_.begin(), map->regions_.end(),
            [](const Region& a, const Region& b) { return a.first < b.first; });
  const Region* below = nullptr;
  for (Region& region : map->regions_) {
    if (below != nullptr && below->end() > region.first) {
      return fail(Code::kInvalidArgument, fmt::format("memory regions at {:#x} and {:#x} overlap",
                                                      below->first.value, region.first.value));
    }
    region.first_index = bytes_to_pages(map->bytes_);
    region.file_below = has_file_below(map->regions_, region);
    map->bytes_ += region.bytes;
    below = &region;
  }
  return std::shared_ptr<const GuestMemory>(map);
}

const Region* GuestMemory::find(Gpa gpa) const noexcept {
  for (const Region& region : regions_) {
    if (region.holds(gpa)) return &region;
  }
  return nullptr;
}

bool GuestMemory::contains(GpaRange range) const noexcept {
  if (range.first.value + range.bytes < range.first.value) return false;
  while (range.bytes != 0) {
    const Region* region = find(range.first);
    if (region == nullptr) return false;
    const std::uint64_t step = std::min(range.bytes, region->end().value - range.first.value);
    range.first.value += step;
    range.bytes -= step;
  }
  return true;
}

bool GuestMemory::read(Gpa from, std::span<std::byte> out) const noexcept {
  while (!out.empty()) {
    const Region* region = find(from);
    if (region == nullptr) return false;
    const std::uint64_t offset = from.value - region->first.value;
    const std::size_t step = std::min<std::uint64_t>(out.size(), region->bytes - offset);
    copy_once(out.data(), region->host + offset, step);
    from.value += step;
    out = out.subspan(step);
  }
  return true;
}

bool GuestMemory::write(Gpa to, std::span<const std::byte> in) const noexcept {
  while (!in.empty()) {
    const Region* region = find(to);
    if (region == nullptr) return false;
    const std::size_t step = std::min<std::uint64_t>(in.size(), region->end().value - to.value);
    copy_once(region->host + (to.value - region->first.value), in.data(), step);
    to.value += step;
    in = in.subspan(step);
  }
  return true;
}

Gpa GuestMemory::address_of(const void* host) const noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(host);
  const auto held = std::find_if(regions_.begin(), regions_.end(), [address](const Region& region) {
    return address - reinterpret_cast<std::uintptr_t>(region.host) < region.bytes;
  });
  VB_CHECK(held != regions_.end());
  return Gpa{held->first.value + (address - reinterpret_cast<std::uintptr_t>(held->host))};
}

bool GuestMemory::maps(const void* host, std::uint64_t bytes) const noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(host);
  for (const Region& region : regions_) {
    const std::uint64_t offset = address - reinterpret_cast<std::uintptr_t>(region.host);
    if (offset < region.bytes) return bytes <= region.bytes - offset;
  }
  return false;
}

}  // namespace vballoon::gmem
