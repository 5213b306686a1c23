// SPDX-License-Identifier: BSD-3-Clause
//
// driver/guest_ram.hpp - guest RAM without a guest: memfds, mapped here and shared with a backend.
// Thread: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "base/units.hpp"
#include "gmem/guest_memory.hpp"
#include "wire/vhost_user.hpp"

namespace vballoon::driver {

/// One piece of guest-physical memory and where it lies in which file.
struct RamRegion {
  Gpa first;
  std::uint64_t bytes = 0;
  unsigned file = 0;  ///< regions with the same number share one memfd
  std::uint64_t file_offset = 0;
};

/// The layout of a guest's memory. Two recipes below; any other may be written by hand.
struct RamPlan {
  std::vector<RamRegion> regions;
  std::uint64_t huge_page = 0;  ///< bytes of a hugetlb page (2 MiB, 1 GiB), or 0: plain memory
  std::string folder = {};      ///< in files of this folder, without names; empty: in memfds
};

/// One region at address 0, file offset 0.
[[nodiscard]] RamPlan flat_ram(std::uint64_t bytes);

/// As a PC has it: two regions of one file around a hole, none of them at file offset 0.
/// @pre  below < bytes; all multiples of 4 KiB.
[[nodiscard]] RamPlan ram_with_hole(std::uint64_t bytes, std::uint64_t below, std::uint64_t hole);

class GuestRam {
 public:
  /// @errors kHost when memory or huge pages are missing; kInvalidArgument for a bad plan.
  [[nodiscard]] static Result<GuestRam> create(const RamPlan& plan);
  ~GuestRam();
  GuestRam(GuestRam&&) noexcept = default;
  GuestRam& operator=(GuestRam&&) noexcept = default;

  /// Adds a region in a file of its own; the guest's other memory stays where it is.
  Result<void> plug(Gpa first, std::uint64_t bytes);
  /// Takes the region at this address away. @errors kNotFound.
  Result<void> unplug(Gpa first);

  /// The memory table for SET_MEM_TABLE, and the file descriptor that goes with each entry.
  [[nodiscard]] std::vector<wire::MemoryRegion> table() const;
  [[nodiscard]] std::vector<int> table_fds() const;

  [[nodiscard]] const gmem::GuestMemory& map() const noexcept { return *map_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return map_->bytes(); }
  /// Every page of RAM, ascending.
  [[nodiscard]] std::vector<Pfn> pages() const;

  /// Guest memory as seen here; empty unless all of it lies in one region.
  [[nodiscard]] std::span<std::byte> at(Gpa gpa, std::uint64_t bytes) const noexcept;
  /// @pre The page is RAM. Touching it makes the host allocate it again.
  [[nodiscard]] std::span<std::byte> page(Pfn pfn) const noexcept;

  /// Bytes that the host has allocated for the files behind this RAM.
  [[nodiscard]] std::uint64_t allocated_bytes() const noexcept;
  /// Whether the file holds data for this page; does not allocate it. @pre The page is RAM.
  [[nodiscard]] bool is_allocated(Pfn pfn) const noexcept;
  /// Whether the page reads as zeroes; does not allocate it. @pre The page is RAM.
  [[nodiscard]] bool reads_zero(Pfn pfn) const noexcept;

 private:
  struct Unmap {
    std::uint64_t bytes;
    void operator()(std::byte* address) const noexcept;
  };
  struct File {
    UniqueFd fd;
    std::unique_ptr<std::byte, Unmap> base;
  };

  GuestRam() = default;
  Result<void> add_file(std::uint64_t bytes, const RamPlan& plan);
  Result<void> rebuild_map();
  [[nodiscard]] std::uint64_t file_position(const gmem::Region& region, Pfn pfn) const noexcept;

  std::vector<File> files_;
  std::vector<RamRegion> regions_;
  std::shared_ptr<const gmem::GuestMemory> map_;
};

}  // namespace vballoon::driver
