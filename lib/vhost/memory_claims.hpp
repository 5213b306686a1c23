// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/memory_claims.hpp - what memory the VMs of this daemon claim, and who claims the same.
// Thread: any.
// Why:    a memfd without pages costs its VMM nothing and may be as large as it likes, but here it
//         takes address space, of which a process has 128 TiB, and tables as it is used. And a page
//         that two VMs have must not be discarded for one of them.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "vhost/settings.hpp"

namespace vballoon::vhost {

/// A part of a file, by which file that is.
struct ClaimedRegion {
  dev_t device = 0;
  ino_t inode = 0;  ///< 0: a device, which holds nothing that could be discarded
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;

  /// @errors kInvalidArgument: this is no descriptor of a file.
  [[nodiscard]] static Result<ClaimedRegion> of(int fd, std::uint64_t offset, std::uint64_t bytes);
  friend bool operator==(const ClaimedRegion&, const ClaimedRegion&) = default;
  [[nodiscard]] bool overlaps(const ClaimedRegion& other) const noexcept {
    return inode != 0 && device == other.device && inode == other.inode &&
           offset < other.offset + other.bytes && other.offset < offset + bytes;
  }
};

class MemoryClaims {
 public:
  explicit MemoryClaims(ClaimLimits limits) noexcept : limits_(limits) {}

  /// In the place of what this device claimed before, which stands where this is refused. Each
  /// region takes address space from the start of its file, for so librte_vhost maps it.
  /// @errors kInvalidArgument: above what one guest may have, or more than half of what is left to
  ///         all: so a few that take all they get leave room for a VM of ordinary size.
  Result<void> claim(const std::string& device, std::vector<ClaimedRegion> regions);
  /// Whether it would be refused.
  [[nodiscard]] Result<void> check(const std::string& device,
                                   const std::vector<ClaimedRegion>& regions) const;
  void drop(const std::string& device) noexcept;

  /// Who claims a part of this region besides; the device itself where two of its regions overlap.
  /// Empty: nobody.
  [[nodiscard]] std::string also_of(const std::string& device, const ClaimedRegion& region) const;

  /// Another number after every change.
  [[nodiscard]] std::uint64_t generation() const noexcept {
    return generation_.load(std::memory_order_acquire);
  }

 private:
  struct Claim {
    std::string device;
    std::vector<ClaimedRegion> regions;
  };
  void remove(const std::string& device) noexcept;
  static std::uint64_t mapped(const std::vector<ClaimedRegion>& regions) noexcept;

  const ClaimLimits limits_;
  mutable std::mutex mutex_;
  std::vector<Claim> claims_;
  std::atomic<std::uint64_t> generation_{0};  // stored after claims_, so whoever sees it sees them
};

}  // namespace vballoon::vhost
