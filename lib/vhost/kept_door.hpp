// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/kept_door.hpp - a listening socket that outlives the process, so that a VMM which starts
//                       while there is no daemon waits in its queue.
// Why:    which file is the socket's does not show: it has an inode of its own, of another file
//         system. So whoever makes the two notes which file it was. The socket holds that file, so
//         no other one gets its number, even if the name is gone.
// Source: unix(7); Linux net/unix/af_unix.c, unix_bind_bsd(): the socket keeps a reference to the
//         path.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "base/unique_fd.hpp"

namespace vballoon::vhost {

struct KeptDoor {
  std::uint64_t file_device = 0;
  std::uint64_t file_inode = 0;
  /// The group that may connect; nothing: the file kept the group that it was made with.
  std::optional<gid_t> group;
  friend bool operator==(const KeptDoor&, const KeptDoor&) = default;
};

/// One that is open.
struct Door {
  int fd = -1;
  KeptDoor is;
};

/// One that an earlier daemon left.
struct LeftDoor {
  UniqueFd socket;
  KeptDoor is;
};

}  // namespace vballoon::vhost
