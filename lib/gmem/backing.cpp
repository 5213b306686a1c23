// SPDX-License-Identifier: BSD-3-Clause
//
// gmem/backing.cpp - what kind of file a region lives in.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <vector>

#include "gmem/guest_memory.hpp"

namespace vballoon::gmem {

Backing inspect_backing(int fd) noexcept {
  Backing backing;
  struct stat file {};
  struct statfs system {};
  const int mode = ::fcntl(fd, F_GETFL);
  if (mode < 0 || ::fstat(fd, &file) != 0 || ::fstatfs(fd, &system) != 0) return backing;
  backing.device = file.st_dev;
  backing.inode = file.st_ino;
  backing.can_discard = S_ISREG(file.st_mode) && (mode & O_ACCMODE) == O_RDWR;
  // Not st_blksize: on a tmpfs with huge=always it names the huge page that the kernel would like,
  // while 4 KiB holes still free memory there. On hugetlbfs the block size is the page size.
  backing.memory = system.f_type == HUGETLBFS_MAGIC || system.f_type == TMPFS_MAGIC;
  if (system.f_type == HUGETLBFS_MAGIC) {
    backing.host_page = static_cast<std::uint64_t>(system.f_bsize);
  } else {
    backing.huge_pages = static_cast<std::uint64_t>(file.st_blksize) > kPageSize;
  }
  return backing;
}

namespace {

constexpr std::uint64_t kStatBlock = 512;  // of st_blocks, whatever the file system

void keep_out(std::byte* begin, std::uint64_t bytes) noexcept {
  static_cast<void>(::madvise(begin, bytes, MADV_DONTDUMP));
}

/// What of the guest is in a file, and what that file takes.
struct Taken {
  dev_t device;
  ino_t inode;
  std::uint64_t allocated;
  std::uint64_t guest;
};

}  // namespace

void keep_out_of_core(const GuestMemory& memory) noexcept {
  for (const Region& region : memory.regions()) {
    const std::uint64_t page = region.backing.host_page;
    keep_out(region.host - region.file_offset,
             (region.file_offset + region.bytes + page - 1) / page * page);
  }
}

void keep_out_of_core(std::span<std::byte> shared) noexcept {
  keep_out(shared.data(), shared.size());
}

std::optional<std::uint64_t> most_given_back(const GuestMemory& memory) noexcept {
  std::uint64_t bytes = 0;
  std::vector<Taken> files;
  for (const Region& region : memory.regions()) {
    struct stat file {};
    if (region.backing.memory || ::fstat(region.fd.get(), &file) != 0) {
      bytes += region.bytes;
      continue;
    }
    const auto known = std::find_if(files.begin(), files.end(), [&file](const Taken& one) {
      return one.device == file.st_dev && one.inode == file.st_ino;
    });
    if (known != files.end()) {
      known->guest += region.bytes;
    } else {
      const std::uint64_t allocated = static_cast<std::uint64_t>(file.st_blocks) * kStatBlock;
      files.push_back({file.st_dev, file.st_ino, allocated, region.bytes});
    }
  }
  if (files.empty()) return std::nullopt;
  for (const Taken& file : files) bytes += file.guest - std::min(file.guest, file.allocated);
  return bytes;
}

std::optional<std::uint64_t> resident_bytes(const GuestMemory& memory) noexcept {
  std::uint64_t bytes = 0;
  for (const Region& region : memory.regions()) {
    struct stat file {};
    if (!region.backing.memory) return std::nullopt;
    if (region.file_below) continue;
    if (::fstat(region.fd.get(), &file) != 0) return std::nullopt;
    bytes += static_cast<std::uint64_t>(file.st_blocks) * kStatBlock;
  }
  return std::min(bytes, memory.bytes());
}

std::uint64_t boot_bytes(const GuestMemory& memory) noexcept {
  struct stat lowest {};
  std::uint64_t bytes = 0;
  for (const Region& region : memory.regions()) {
    struct stat file {};
    if (::fstat(region.fd.get(), &file) != 0) continue;
    if (bytes == 0) lowest = file;
    if (file.st_dev == lowest.st_dev && file.st_ino == lowest.st_ino) bytes += region.bytes;
  }
  return bytes;
}

}  // namespace vballoon::gmem
