// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/prefault_wish.hpp - the operator's wish that memory is put back before the guest gets its
//                           pages. The wish has an effect only where the VM is charged for that
//                           memory, and not the daemon.
// Thread: the device's lock guards all of it, except set() and wanted().
#pragma once

#include <sys/types.h>

#include <atomic>

#include "datapath/data_path.hpp"
#include "vhost/session.hpp"
#include "vm/notices.hpp"

namespace vballoon::vhost {

class PrefaultWish {
 public:
  /// The objects that are passed outlive this one.
  PrefaultWish(bool wanted, datapath::DataPath& path, SharedMemory& memory,
               vm::Notices& notices) noexcept
      : wanted_(wanted), path_(path), memory_(memory), notices_(notices) {}

  /// Sets the wish. It outlives the VMM: with the next VMM it may have an effect. Prefault that is
  /// not wanted any more ends at once; settle() begins it. Thread: the control thread.
  void set(bool wanted) noexcept;
  [[nodiscard]] bool wanted() const noexcept { return wanted_.load(std::memory_order_relaxed); }

  /// Finds out whether the wish has an effect, and if not, why (SharedMemory::no_prefault). The
  /// operator may move a VMM to another cgroup at any time. So the cgroups are read again whenever
  /// pages may come back soon: after a memory table, a target, or a new wish.
  void settle(pid_t vmm);

 private:
  std::atomic<bool> wanted_;  // written by the control thread; the event thread reads it, too
  datapath::DataPath& path_;
  SharedMemory& memory_;
  vm::Notices& notices_;
};

}  // namespace vballoon::vhost
