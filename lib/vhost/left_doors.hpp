// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/left_doors.hpp - the listening sockets that an earlier daemon left, by their files.
// Thread: the control thread.
// Why:    a device of the next daemon may have another name, or spell its path in another way. What
//         counts is which file is at the path: VMMs connect to that.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "vhost/kept_door.hpp"

namespace vballoon::vhost {

class LeftDoors {
 public:
  void add(LeftDoor door);
  /// The one whose file is at this path; nothing where there is none.
  [[nodiscard]] std::optional<LeftDoor> take(const std::string& path);
  /// Closes those that nobody took, and removes their files.
  void close_rest() noexcept;

 private:
  std::map<std::pair<dev_t, ino_t>, LeftDoor> doors_;
};

}  // namespace vballoon::vhost
