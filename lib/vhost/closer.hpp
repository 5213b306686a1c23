// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/closer.hpp - closes what VMMs handed over, on a thread that may wait.
// Thread: any hands over; one of its own closes.
// Why:    close(2) waits for the peer of a network socket with SO_LINGER, as long as that says,
//         also where the socket is in the queue of another one; and for the server of a FUSE file.
//         A VMM may hand over either, and the event thread serves all of them.
// Source: socket(7), SO_LINGER; unix(7), SCM_RIGHTS.
#pragma once

namespace vballoon::vhost {

/// While it lives this thread closes nothing itself: close(2) is handed over (libc_calls.cpp).
class CloseElsewhere {
 public:
  CloseElsewhere() noexcept;
  ~CloseElsewhere();
  CloseElsewhere(const CloseElsewhere&) = delete;
  CloseElsewhere& operator=(const CloseElsewhere&) = delete;

  /// Whether there is one on this thread.
  [[nodiscard]] static bool here() noexcept;
};

/// Ours no more; its number stays taken until it is closed.
void close_elsewhere(int fd);

/// Interrupts a close that lasts since the last call. Once a second.
void hurry_closer() noexcept;

}  // namespace vballoon::vhost
