// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/libc_calls.hpp - librte_vhost's calls of the C library, as the daemon answers them.
// Thread: each function names its own; the vhost event thread calls accept(2).
#pragma once

namespace vballoon::vhost {

/// The newest descriptor that accept(2) returned on this thread; -1 for none.
[[nodiscard]] int last_accepted() noexcept;

/// The newest descriptor that connect(2) connected on this thread; -1 for none.
[[nodiscard]] int last_connected() noexcept;

/// Answers accept(2) for a socket of librte_vhost's.
class AcceptSource {
 public:
  virtual ~AcceptSource() = default;
  /// @return as accept(2): a connected socket, or -1 with errno.
  [[nodiscard]] virtual int accept() noexcept = 0;
};

/// While an object of this class lives, bind(2) on its thread makes the socket a duplicate of this
/// descriptor instead. From then on accept(2) on the socket asks the source, until forget_source().
class BoundTo {
 public:
  BoundTo(int descriptor, AcceptSource& source) noexcept;
  ~BoundTo();
  BoundTo(const BoundTo&) = delete;
  BoundTo& operator=(const BoundTo&) = delete;
};

void forget_source(const AcceptSource& source) noexcept;

/// While an object of this class lives, connect(2) on its thread makes the socket a duplicate of
/// this descriptor instead, once; below 0: it connects.
class ConnectedTo {
 public:
  explicit ConnectedTo(int descriptor) noexcept;
  ~ConnectedTo();
  ConnectedTo(const ConnectedTo&) = delete;
  ConnectedTo& operator=(const ConnectedTo&) = delete;
};

}  // namespace vballoon::vhost
