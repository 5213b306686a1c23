// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/device_parts.hpp - the parts of one device, each after the parts that it uses; and what
//                          concerns several of them.
// Thread: the device's lock guards all of it, except what a part offers to other threads.
#pragma once

#include "vhost/attachment.hpp"
#include "vhost/blame.hpp"
#include "vhost/connection_slot.hpp"
#include "vhost/device_spec.hpp"
#include "vhost/dirty_log.hpp"
#include "vhost/kept_connection.hpp"
#include "vhost/memory_control.hpp"
#include "vhost/prefault_wish.hpp"
#include "vhost/ring_control.hpp"
#include "vhost/session.hpp"
#include "vm/balloon.hpp"
#include "vm/balloon_target.hpp"
#include "vm/guest_stats.hpp"
#include "vm/notices.hpp"
#include "vm/restart.hpp"

namespace vballoon::vhost {

/// Shown in the log, and as the reason in the device's figures.
inline constexpr const char* kMemoryLost =
    "memory of the guest is gone: the file behind it was made shorter, or there was no huge page "
    "left for it; the device is served again when its VM is started anew";

struct DeviceParts {
  /// @param folder  has the state that outlives the daemon; null: nothing is kept.
  DeviceParts(DeviceSpec settings, Seats& seats, MemoryClaims& claims,
              const reclaim::ReclaimLimits& limits, const vm::Folder* folder);

  /// Records the connection for the next daemon, if anybody keeps it.
  void keep();
  /// The same, where something changed since that is no message's.
  void keep_if_changed();
  [[nodiscard]] bool undecided() const noexcept;

  /// Lets go of the VMM and its guest. The operator's wishes stay: they are for the VM, and not for
  /// this boot of it.
  void let_go();
  /// Whether memory that the VMM shared is gone. Thread: any.
  [[nodiscard]] bool memory_lost() const noexcept { return memory.lost() || log.lost(); }
  /// Stops all rings if memory is gone: the poll lcore found zeroes in its place, and is to read no
  /// more of them.
  void give_up_lost_memory();
  /// Tells the VMM of a change of config space, if that is due and possible.
  void notify_if_due();

  const DeviceSpec spec;
  vm::Notices notices;
  ConnectionSlot slot;
  KeptConnection kept;
  Blame blame;
  Session session;  // its in-flight region outlives the queues, which write into it
  vm::Balloon balloon;
  vm::BalloonTarget target;
  vm::GuestStats stats;
  vm::Restart restart;
  Attachment attachment;
  PrefaultWish prefault;
  MemoryControl memory;
  DirtyLog log;
  RingControl rings;
};

}  // namespace vballoon::vhost
