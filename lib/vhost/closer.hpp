// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/closer.hpp - closes the descriptors that VMMs sent, on a thread that may wait.
// Thread: any thread gives a descriptor; the closer's own thread closes it.
// Why:    close(2) may wait: for the peer of a network socket with SO_LINGER, as long as that
//         option says, also where the socket is in the queue of another socket; and for the server
//         of a FUSE file. A VMM may send either, and the event thread serves all VMMs.
// Source: socket(7), SO_LINGER; unix(7), SCM_RIGHTS.
#pragma once

namespace vballoon::vhost {

/// While an object of this class lives, close(2) on its thread gives the descriptor to the closer
/// (libc_calls.cpp).
class CloseElsewhere {
 public:
  CloseElsewhere() noexcept;
  ~CloseElsewhere();
  CloseElsewhere(const CloseElsewhere&) = delete;
  CloseElsewhere& operator=(const CloseElsewhere&) = delete;

  /// Whether an object of this class lives on the calling thread.
  [[nodiscard]] static bool here() noexcept;
};

/// Gives the descriptor to the closer. Its number stays in use until the closer has closed it.
void close_elsewhere(int fd);

/// Interrupts a close that has lasted since the last call. The control thread calls it once a
/// second.
void hurry_closer() noexcept;

}  // namespace vballoon::vhost
