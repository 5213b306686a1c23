// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/discarder.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#ifndef MADV_POPULATE_WRITE  // Linux 5.14; Debian 12's libc names it
#define MADV_POPULATE_WRITE 23
#endif

namespace vballoon::reclaim {
namespace {

template <typename Call>
bool succeeds(Call call) noexcept {
  int result = -1;
  do {
    result = call();
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

bool allocate(int fd, int mode, std::uint64_t offset, std::uint64_t bytes) noexcept {
  return succeeds(
      [=] { return ::fallocate(fd, mode, static_cast<off_t>(offset), static_cast<off_t>(bytes)); });
}

}  // namespace

/// fallocate() is three times as fast as a fault and leaves no page-table entry, but it fills holes
/// by 4 KiB where a fault takes a transparent huge page.
bool Discarder::provide(int fd, std::uint64_t offset, std::uint64_t bytes,
                        std::byte* mapping) noexcept {
  if (mapping == nullptr) return allocate(fd, FALLOC_FL_KEEP_SIZE, offset, bytes);
  const bool there = succeeds([=] { return ::madvise(mapping, bytes, MADV_POPULATE_WRITE); });
  // Of a shared mapping this frees no memory, only the entries.
  static_cast<void>(::madvise(mapping, bytes, MADV_DONTNEED));
  return there;
}

/// Blocks, and not where data is: of huge pages the kernel does not say that (SEEK_DATA, mincore).
std::uint64_t Discarder::allocated(int fd) noexcept {
  constexpr std::uint64_t kStatBlock = 512;  // of st_blocks, whatever the file system
  struct stat file {};
  return ::fstat(fd, &file) == 0 ? static_cast<std::uint64_t>(file.st_blocks) * kStatBlock : 0;
}

bool HolePuncher::discard(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept {
  return allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
}

}  // namespace vballoon::reclaim
