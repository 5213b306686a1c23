// SPDX-License-Identifier: BSD-3-Clause
//
// gmem/backing.cpp - what kind of file a region lives in.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "gmem/guest_memory.hpp"

namespace vballoon::gmem {

Backing inspect_backing(int fd) noexcept {
  Backing backing;
  struct stat file {};
  struct statfs system {};
  const int mode = ::fcntl(fd, F_GETFL);
  if (mode < 0 || ::fstat(fd, &file) != 0 || ::fstatfs(fd, &system) != 0) return backing;
  backing.can_discard = S_ISREG(file.st_mode) && (mode & O_ACCMODE) == O_RDWR;
  // Not st_blksize: on a tmpfs with huge=always it names the huge page that the kernel would like,
  // while 4 KiB holes still free memory there. On hugetlbfs the block size is the page size.
  if (system.f_type == HUGETLBFS_MAGIC) {
    backing.host_page = static_cast<std::uint64_t>(system.f_bsize);
  } else {
    backing.huge_pages = static_cast<std::uint64_t>(file.st_blksize) > kPageSize;
  }
  return backing;
}

}  // namespace vballoon::gmem
