// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/device_parts.hpp - what one device consists of, in the order in which its parts need each
//                          other; and what concerns all of them.
// Thread: the device's lock guards all of it, but for what a part gives to other threads.
#pragma once

#include "vhost/attachment.hpp"
#include "vhost/connection_slot.hpp"
#include "vhost/device_spec.hpp"
#include "vhost/dirty_log.hpp"
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

/// Said in the log, and to whoever asks for the device's state.
inline constexpr const char* kMemoryLost =
    "memory of the guest is gone: the file behind it was made shorter, or there was no huge page "
    "left for it; the device is served again when its VM is started anew";

struct DeviceParts {
  /// @param folder  where what outlives the daemon is kept; null: nowhere.
  DeviceParts(DeviceSpec settings, Seats& seats, MemoryClaims& claims,
              const reclaim::ReclaimLimits& limits, const vm::Folder* folder);

  /// Back to where no VMM is. The operator's wishes stay: they are the VM's, not this boot's.
  void let_go();
  /// Memory that the VMM shared is not there. Thread: any.
  [[nodiscard]] bool memory_lost() const noexcept { return memory.lost() || log.lost(); }
  /// The poll lcore went on with zeroes in the place of what it had to read; it is to read no more.
  void give_up_lost_memory();
  /// Tells the VMM of a change of config space, if one is due and that is possible.
  void notify_if_due();

  const DeviceSpec spec;
  vm::Notices notices;
  ConnectionSlot slot;
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
