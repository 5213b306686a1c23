// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/support/guest_ram.hpp - a guest's RAM for unit tests: one memfd, regions anywhere in
// it.
// Source: vhost-user protocol, "Memory region description": a region may begin inside its file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/unique_fd.hpp"
#include "base/units.hpp"
#include "gmem/guest_memory.hpp"

namespace vballoon::test {

/// Where a region lies: in the guest, and in the file. All of it multiples of 4 KiB.
struct RamPiece {
  Gpa first;
  std::uint64_t bytes = 0;
  std::uint64_t file_offset = 0;
};

/// The file is mapped once, from its start, as librte_vhost does; each piece is a part of that.
class GuestRam {
 public:
  explicit GuestRam(std::vector<RamPiece> pieces);
  ~GuestRam();
  GuestRam(const GuestRam&) = delete;
  GuestRam& operator=(const GuestRam&) = delete;

  [[nodiscard]] std::vector<gmem::RegionSpec> specs() const;
  [[nodiscard]] std::shared_ptr<const gmem::GuestMemory> map() const;

  /// Where the guest byte is in this process. @pre it is inside a piece.
  [[nodiscard]] std::byte* at(Gpa gpa) const;

  template <typename T>
  void put(Gpa gpa, const T& value) const {
    std::memcpy(at(gpa), &value, sizeof(T));
  }
  template <typename T>
  [[nodiscard]] T get(Gpa gpa) const {
    T value;
    std::memcpy(&value, at(gpa), sizeof(T));
    return value;
  }

  /// Writes `value` into every byte of every piece, so that all of it is allocated.
  void fill(std::byte value) const;
  /// Whether the whole page holds `value`.
  [[nodiscard]] bool page_holds(std::uint64_t page, std::byte value) const;

  /// Memory that the host spends on the file.
  [[nodiscard]] std::uint64_t allocated_bytes() const;
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  std::vector<RamPiece> pieces_;
  UniqueFd fd_;
  std::span<std::byte> mapping_;
};

/// A file descriptor on hugetlbfs, which needs no huge page to exist; invalid where the kernel has
/// no hugetlbfs. Its page size is the host's default huge page.
[[nodiscard]] UniqueFd open_hugetlb();

/// A map that only describes memory: its pages are never there, so nothing may read through it.
class PhantomMap {
 public:
  /// All pieces are backed by `fd`.
  PhantomMap(int fd, std::span<const RamPiece> pieces);
  [[nodiscard]] std::shared_ptr<const gmem::GuestMemory> map() const noexcept { return map_; }

 private:
  std::byte anchor_{};
  std::shared_ptr<const gmem::GuestMemory> map_;
};

}  // namespace vballoon::test
