// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/prefault_wish.hpp - the operator's wish that memory is put back for a guest before it gets
//                           its pages; it has an effect only where the VM is charged for that
//                           memory, and not the daemon.
// Thread: the device's lock guards all of it, but for what says the control thread.
#pragma once

#include <sys/types.h>

#include <atomic>

#include "datapath/data_path.hpp"
#include "vhost/session.hpp"
#include "vm/notices.hpp"

namespace vballoon::vhost {

class PrefaultWish {
 public:
  /// All of them outlive this.
  PrefaultWish(bool wanted, datapath::DataPath& path, SharedMemory& memory,
               vm::Notices& notices) noexcept
      : wanted_(wanted), path_(path), memory_(memory), notices_(notices) {}

  /// It outlives the VMM: with the next one it may have an effect. What is not wanted ends at once;
  /// what is wanted begins with settle(). Thread: the control thread.
  void set(bool wanted) noexcept;
  [[nodiscard]] bool wanted() const noexcept { return wanted_.load(std::memory_order_relaxed); }

  /// Finds out whether it has an effect, and why not (SharedMemory::no_prefault). The operator may
  /// move a VMM to another cgroup at any time: so that is read again whenever pages may come back
  /// soon, with a memory table, a target, and this switch.
  void settle(pid_t vmm);

 private:
  std::atomic<bool> wanted_;  // written by the control thread, read by both
  datapath::DataPath& path_;
  SharedMemory& memory_;
  vm::Notices& notices_;
};

}  // namespace vballoon::vhost
