// SPDX-License-Identifier: BSD-3-Clause
//
// gmem/guest_memory.hpp - the guest's RAM as one immutable map.
// Thread: immutable after create(), so any; the owner of the mapping keeps it mapped meanwhile.
// Source: vhost-user protocol, "Memory region description".
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "base/units.hpp"

namespace vballoon::gmem {

/// One region as the VMM announced it. The caller keeps fd and mapping; create() duplicates the fd.
struct RegionSpec {
  Gpa first;
  std::uint64_t bytes = 0;
  std::byte* host = nullptr;      ///< where `first` is mapped in this process
  int fd = -1;                    ///< the file behind it, or -1
  std::uint64_t file_offset = 0;  ///< of `first` in that file
};

/// What kind of file backs a region, and so in which units it can give memory back.
struct Backing {
  std::uint64_t host_page = kPageSize;  ///< bytes; the smallest hole that frees anything
  bool can_discard = false;             ///< a writable file of a kind that takes holes
  bool huge_pages = false;              ///< the kernel may use transparent huge pages for it
  bool memory = false;                  ///< its blocks are memory, not of a disk
  dev_t device = 0;                     ///< with `inode`, which file it is; both 0 without a file
  ino_t inode = 0;

  [[nodiscard]] bool same_file(const Backing& other) const noexcept {
    return device == other.device && inode == other.inode;
  }
};

struct Region {
  Gpa first;
  std::uint64_t bytes = 0;
  std::byte* host = nullptr;
  UniqueFd fd;
  std::uint64_t file_offset = 0;
  Backing backing;
  std::uint64_t first_index = 0;  ///< page index of `first`: 4 KiB pages in the regions below it
  bool file_below = false;        ///< a region below this one is of the same file

  [[nodiscard]] bool holds(Gpa gpa) const noexcept { return gpa.value - first.value < bytes; }
  [[nodiscard]] Gpa end() const noexcept { return Gpa{first.value + bytes}; }
};

/// Guest-physical address -> host span, and -> (file, offset, host page size).
class GuestMemory {
 public:
  /// Regions in any order. Shape: each a multiple of 4 KiB long and 4 KiB aligned, none empty.
  /// @errors kInvalidArgument, naming the region: empty, unaligned, wrapping, overlapping.
  [[nodiscard]] static Result<std::shared_ptr<const GuestMemory>> create(
      std::span<const RegionSpec> specs);

  /// The region that holds this address, or null. Regions are few: at most 8 over vhost-user.
  [[nodiscard]] const Region* find(Gpa gpa) const noexcept;
  [[nodiscard]] const Region* find(Pfn pfn) const noexcept { return find(to_gpa(pfn)); }

  /// Whether every byte of the range is RAM; it may cross from one region into its neighbour.
  [[nodiscard]] bool contains(GpaRange range) const noexcept;

  /// Copies guest bytes out, once. @return false, and nothing useful in out, outside RAM.
  [[nodiscard]] bool read(Gpa from, std::span<std::byte> out) const noexcept;

  /// Copies bytes to the guest. @return false, and a part at most is written, outside RAM.
  [[nodiscard]] bool write(Gpa to, std::span<const std::byte> in) const noexcept;

  /// Whether these host bytes lie inside one region's mapping.
  [[nodiscard]] bool maps(const void* host, std::uint64_t bytes) const noexcept;

  /// Where the guest has what is mapped here. @pre  maps(host, 1).
  [[nodiscard]] Gpa address_of(const void* host) const noexcept;

  /// Ascending by address, disjoint.
  [[nodiscard]] std::span<const Region> regions() const noexcept { return regions_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint64_t pages() const noexcept { return bytes_to_pages(bytes_); }

 private:
  GuestMemory() = default;
  std::vector<Region> regions_;
  std::uint64_t bytes_ = 0;
};

/// The mappings behind this memory, from the start of their files as librte_vhost maps them, and
/// other memory that a VMM shares: a core file of this process is to hold none of a guest's
/// secrets.
/// @source madvise(2), MADV_DONTDUMP. Newer librte_vhost takes rings back in (MADV_DODUMP) when it
///         learns their addresses, so this is to be said again after that.
void keep_out_of_core(const GuestMemory& memory) noexcept;
void keep_out_of_core(std::span<std::byte> shared) noexcept;

/// Looks at the file: hugetlbfs tells its page size, everything else is freed by 4 KiB.
[[nodiscard]] Backing inspect_backing(int fd) noexcept;

/// The host's memory that the files behind guest memory take, swapped-out pages included. Asks each
/// file once, with a system call, and touches no page.
/// @return at most the guest's size; nothing where a file is not one of memory.
[[nodiscard]] std::optional<std::uint64_t> resident_bytes(const GuestMemory& memory) noexcept;

/// The most of this memory that the host can have back where files of a disk are behind it: their
/// holes, and all that is in files of memory. What was given back of a disk's file may be there
/// again when the guest writes beside it: the kernel reads and writes such files in larger pieces.
/// Asks for the number of blocks, and takes no lock of the file, which its VMM could hold.
/// @return nothing where all of it is in files of memory: there a hole stays one.
[[nodiscard]] std::optional<std::uint64_t> most_given_back(const GuestMemory& memory) noexcept;

/// Memory that the guest booted with: what is in the file of its lowest address. What is plugged or
/// mapped into it later (virtio-mem, DIMMs, NVDIMMs, ivshmem) has files of its own; so may the
/// second NUMA node, which is then not counted. A system call a region.
[[nodiscard]] std::uint64_t boot_bytes(const GuestMemory& memory) noexcept;

}  // namespace vballoon::gmem
