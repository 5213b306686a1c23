// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/memory_claims.hpp - the memory that the VMs of this daemon claim, and memory that two VMs
//                           share.
// Thread: any.
// Why:    a memfd without pages costs its VMM nothing, whatever its size. Here it takes address
//         space, of which a process has 128 TiB, and tables as it is used. And a page that two VMs
//         have must not be discarded for one of them.
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

/// A part of a file, with the file's identity.
struct ClaimedRegion {
  dev_t device = 0;
  ino_t inode = 0;  ///< 0: a device file, of which nothing can be discarded
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;

  /// @errors kInvalidArgument when `fd` is no descriptor of a file.
  [[nodiscard]] static Result<ClaimedRegion> of(int fd, std::uint64_t offset, std::uint64_t bytes);
  friend bool operator==(const ClaimedRegion&, const ClaimedRegion&) = default;
  [[nodiscard]] bool overlaps(const ClaimedRegion& other) const noexcept {
    return inode != 0 && device == other.device && inode == other.inode &&
           offset < other.offset + other.bytes && other.offset < offset + bytes;
  }
};

/// Whose memory it is.
struct Claimant {
  std::string device;
  pid_t process = 0;   ///< that shares it; 0: not known
  bool large = false;  ///< the device is of large pages

  /// Whether both may have the same memory: two devices of one VM, each with pages of its own. What
  /// a guest gives to one of them it has given away, and the process has the other device as well;
  /// so nobody but that VM could come to harm. Two stock balloons in one VM are nobody's wish.
  [[nodiscard]] bool shares_with(const Claimant& other) const noexcept {
    return device != other.device && process != 0 && process == other.process &&
           (large || other.large);
  }
};

class MemoryClaims {
 public:
  explicit MemoryClaims(ClaimLimits limits) noexcept : limits_(limits) {}

  /// Replaces the device's claim; a refusal leaves the claim as it was. Each region takes address
  /// space from the start of its file, because librte_vhost maps it so.
  /// @errors kInvalidArgument for more memory than one guest may have, or for more than half of
  ///         what is left of the total. So a few VMMs that claim as much as they can leave room for
  ///         a VM of ordinary size.
  Result<void> claim(const Claimant& claimant, std::vector<ClaimedRegion> regions);
  /// @errors those that claim() would return.
  [[nodiscard]] Result<void> check(const std::string& device,
                                   const std::vector<ClaimedRegion>& regions) const;
  void drop(const std::string& device) noexcept;

  /// @return a device that also claims a part of this region, and may not share it; the device
  ///         itself where two of its regions overlap; empty where there is none.
  [[nodiscard]] std::string also_of(const Claimant& claimant, const ClaimedRegion& region) const;

  /// @return a number that changes with every change of a claim.
  [[nodiscard]] std::uint64_t generation() const noexcept {
    return generation_.load(std::memory_order_acquire);
  }

 private:
  struct Claim {
    Claimant claimant;
    std::vector<ClaimedRegion> regions;
  };
  void remove(const std::string& device) noexcept;
  static std::uint64_t mapped(const std::vector<ClaimedRegion>& regions) noexcept;

  const ClaimLimits limits_;
  mutable std::mutex mutex_;
  std::vector<Claim> claims_;
  std::atomic<std::uint64_t> generation_{0};  // stored after claims_ changed
};

}  // namespace vballoon::vhost
