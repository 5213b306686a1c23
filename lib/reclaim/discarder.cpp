// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/discarder.hpp"

#include <fcntl.h>

#include <cerrno>

namespace vballoon::reclaim {

bool HolePuncher::discard(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept {
  int result = -1;
  do {
    result = ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                         static_cast<off_t>(offset), static_cast<off_t>(bytes));
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

}  // namespace vballoon::reclaim
