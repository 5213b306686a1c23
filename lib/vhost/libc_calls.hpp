// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/libc_calls.hpp - what librte_vhost asked of the C library.
// Thread: as each says; accept(2) is the vhost event thread's.
#pragma once

namespace vballoon::vhost {

/// The newest descriptor that accept(2) returned on this thread; -1 for none.
[[nodiscard]] int last_accepted() noexcept;

/// The newest one that connect(2) connected on this thread; -1 for none.
[[nodiscard]] int last_connected() noexcept;

/// Who answers accept(2) for a socket of librte_vhost's.
class AcceptSource {
 public:
  virtual ~AcceptSource() = default;
  /// As accept(2): a connected socket, or -1 with errno.
  [[nodiscard]] virtual int accept() noexcept = 0;
};

/// While it lives, a socket that this thread binds becomes a duplicate of this descriptor instead,
/// and accept(2) on it asks the source from then on, until forget_source().
class BoundTo {
 public:
  BoundTo(int descriptor, AcceptSource& source) noexcept;
  ~BoundTo();
  BoundTo(const BoundTo&) = delete;
  BoundTo& operator=(const BoundTo&) = delete;
};

void forget_source(const AcceptSource& source) noexcept;

}  // namespace vballoon::vhost
