// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/memory_claims.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/size_text.hpp"

namespace vballoon::vhost {
namespace {

/// Adds without overflow: a VMM's numbers may be of any size.
std::uint64_t add(std::uint64_t sum, std::uint64_t more) noexcept {
  return sum + more < sum ? UINT64_MAX : sum + more;
}

}  // namespace

Result<ClaimedRegion> ClaimedRegion::of(int fd, std::uint64_t offset, std::uint64_t bytes) {
  struct stat file {};
  if (::fstat(fd, &file) != 0)
    return fail(Code::kInvalidArgument, "a memory region without a file");
  return ClaimedRegion{file.st_dev, S_ISREG(file.st_mode) ? file.st_ino : 0, offset, bytes};
}

std::uint64_t MemoryClaims::mapped(const std::vector<ClaimedRegion>& regions) noexcept {
  std::uint64_t bytes = 0;
  for (const ClaimedRegion& region : regions) bytes = add(bytes, add(region.offset, region.bytes));
  return bytes;
}

Result<void> MemoryClaims::claim(const Claimant& claimant, std::vector<ClaimedRegion> regions) {
  if (auto ok = check(claimant.device, regions); !ok) return ok;
  const std::scoped_lock lock(mutex_);
  remove(claimant.device);
  claims_.push_back({claimant, std::move(regions)});
  generation_.fetch_add(1, std::memory_order_release);
  return {};
}

Result<void> MemoryClaims::check(const std::string& device,
                                 const std::vector<ClaimedRegion>& regions) const {
  std::uint64_t guest = 0;
  for (const ClaimedRegion& region : regions) guest = add(guest, region.bytes);
  if (guest > limits_.guest) {
    return fail(Code::kInvalidArgument,
                fmt::format("guest memory of {}, more than the {} that a guest may have "
                            "(limits.max_guest_gib)",
                            format_size(guest), format_size(limits_.guest)));
  }
  const std::scoped_lock lock(mutex_);
  std::uint64_t others = 0;
  for (const Claim& other : claims_) {
    if (other.claimant.device != device) others = add(others, mapped(other.regions));
  }
  const std::uint64_t left = limits_.total - std::min(limits_.total, others);
  if (mapped(regions) <= left / 2) return {};
  return fail(
      Code::kInvalidArgument,
      fmt::format("guest memory that takes {} of address space; other VMs have {} of {} "
                  "(limits.max_total_gib), and none may take more than half of the rest",
                  format_size(mapped(regions)), format_size(others), format_size(limits_.total)));
}

void MemoryClaims::drop(const std::string& device) noexcept {
  const std::scoped_lock lock(mutex_);
  remove(device);
  generation_.fetch_add(1, std::memory_order_release);
}

void MemoryClaims::remove(const std::string& device) noexcept {
  std::erase_if(claims_, [&device](const Claim& claim) { return claim.claimant.device == device; });
}

std::string MemoryClaims::also_of(const Claimant& claimant, const ClaimedRegion& region) const {
  const std::scoped_lock lock(mutex_);
  for (const Claim& claim : claims_) {
    if (claimant.shares_with(claim.claimant)) continue;
    const auto overlapping =
        std::count_if(claim.regions.begin(), claim.regions.end(),
                      [&region](const ClaimedRegion& other) { return region.overlaps(other); });
    // The device's own claim has the region itself.
    const bool own = claim.claimant.device == claimant.device;
    if (overlapping > (own ? 1 : 0)) return claim.claimant.device;
  }
  return {};
}

}  // namespace vballoon::vhost
