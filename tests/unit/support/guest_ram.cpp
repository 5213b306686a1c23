// SPDX-License-Identifier: BSD-3-Clause
#include "support/guest_ram.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.hpp"

namespace vballoon::test {

GuestRam::GuestRam(std::vector<RamPiece> pieces)
    : pieces_(std::move(pieces)), fd_(::memfd_create("guest-ram", MFD_CLOEXEC)) {
  std::uint64_t bytes = 0;
  for (const RamPiece& piece : pieces_) bytes = std::max(bytes, piece.file_offset + piece.bytes);
  VB_CHECK(fd_.valid() && ::ftruncate(fd_.get(), static_cast<off_t>(bytes)) == 0);
  void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  VB_CHECK(base != MAP_FAILED);
  mapping_ = {static_cast<std::byte*>(base), bytes};
}

GuestRam::~GuestRam() {
  ::munmap(mapping_.data(), mapping_.size());
}

std::vector<gmem::RegionSpec> GuestRam::specs() const {
  std::vector<gmem::RegionSpec> specs;
  for (const RamPiece& piece : pieces_) {
    specs.push_back({piece.first, piece.bytes, mapping_.data() + piece.file_offset, fd_.get(),
                     piece.file_offset});
  }
  return specs;
}

std::shared_ptr<const gmem::GuestMemory> GuestRam::map() const {
  auto map = gmem::GuestMemory::create(specs());
  VB_CHECK(map.has_value());
  return *map;
}

std::byte* GuestRam::at(Gpa gpa) const {
  for (const RamPiece& piece : pieces_) {
    const std::uint64_t offset = gpa.value - piece.first.value;
    if (offset < piece.bytes) return mapping_.data() + piece.file_offset + offset;
  }
  VB_CHECK(!"inside a piece");
  return nullptr;
}

void GuestRam::fill(std::byte value) const {
  for (const RamPiece& piece : pieces_) {
    const std::span bytes = mapping_.subspan(piece.file_offset, piece.bytes);
    std::fill(bytes.begin(), bytes.end(), value);
  }
}

bool GuestRam::page_holds(std::uint64_t page, std::byte value) const {
  const std::span bytes(at(Gpa{pages_to_bytes(page)}), kPageSize);
  return std::all_of(bytes.begin(), bytes.end(), [value](std::byte b) { return b == value; });
}

std::uint64_t GuestRam::allocated_bytes() const {
  struct stat file {};
  VB_CHECK(::fstat(fd_.get(), &file) == 0);
  return static_cast<std::uint64_t>(file.st_blocks) * 512;
}

UniqueFd open_hugetlb() {
  return UniqueFd(::memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB));
}

PhantomMap::PhantomMap(int fd, std::span<const RamPiece> pieces) {
  std::vector<gmem::RegionSpec> specs;
  for (const RamPiece& piece : pieces) {
    specs.push_back({piece.first, piece.bytes, &anchor_, fd, piece.file_offset});
  }
  auto map = gmem::GuestMemory::create(specs);
  VB_CHECK(map.has_value());
  map_ = *map;
}

}  // namespace vballoon::test
