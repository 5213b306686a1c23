// SPDX-License-Identifier: BSD-3-Clause
//
// vm/balloon.hpp - one VM's balloon: what its driver reads and writes, its queues and ledger, and
//                  what of them outlives the daemon. It stays as VMMs come and go.
// Thread: the device's lock guards all of it, but for what its members give to other threads.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "datapath/config_space.hpp"
#include "datapath/data_path.hpp"
#include "vm/ring_state.hpp"
#include "vm/state/device_state.hpp"

namespace vballoon::vm {

class Balloon {
 public:
  /// Inhibited, if that was wished and kept.
  /// @param folder  where what outlives the daemon is kept; null: nowhere.
  Balloon(const Folder* folder, const std::string& name, const reclaim::ReclaimLimits& limits);

  [[nodiscard]] datapath::ConfigSpace& config() noexcept { return config_; }
  [[nodiscard]] const datapath::ConfigSpace& config() const noexcept { return config_; }
  [[nodiscard]] DeviceState& state() noexcept { return state_; }
  [[nodiscard]] const DeviceState& state() const noexcept { return state_; }
  [[nodiscard]] datapath::DataPath& path() noexcept { return path_; }
  [[nodiscard]] const datapath::DataPath& path() const noexcept { return path_; }

  /// Another memory map, in which the ledger has this room.
  /// @param goes_on  what is in the room is this guest's balloon, or may be. @pre no queue runs
  void set_memory(std::shared_ptr<const gmem::GuestMemory> memory, const DeviceState::Room& room,
                  bool goes_on);
  /// All pages are the guest's. Marks of rings that are served stay.
  void empty(const Rings& rings);
  /// The VMM is gone. @pre no queue runs
  void release();

  /// What the driver wrote into config space is there for the next daemon.
  void keep_driver_fields() noexcept;
  /// A page fault in a pass takes up to 60 us; here it takes nobody's time. Once is enough: a
  /// ledger keeps what it was provided with.
  void provide_tables() noexcept;
  /// Nothing of what is in the balloon waits to be discarded, if that is so.
  /// @pre no queue runs, what was gathered is discarded as far as it may be
  void note_complete(const Rings& rings) noexcept;

  // --- Wishes that could not be kept are tried again ----------------------------------------

  /// They were written, or not.
  void note_kept() noexcept;
  /// Thread: any.
  [[nodiscard]] bool keep_due() const noexcept { return keep_due_.load(std::memory_order_relaxed); }
  void keep_again();

 private:
  datapath::ConfigSpace config_;
  DeviceState state_;  // before the data path, which writes into it
  datapath::DataPath path_;
  bool tables_provided_ = false;  // of the ledger that there is
  std::atomic<bool> keep_due_{false};
  std::chrono::steady_clock::time_point next_keep_{};
};

}  // namespace vballoon::vm
