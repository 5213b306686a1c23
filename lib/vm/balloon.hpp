// SPDX-License-Identifier: BSD-3-Clause
//
// vm/balloon.hpp - one VM's balloon: its config space, its queues and ledger, and the state that
//                  outlives the daemon. The object stays as VMMs come and go.
// Thread: the device's lock guards all of it, except what its members offer to other threads.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "datapath/config_space.hpp"
#include "datapath/data_path.hpp"
#include "vm/ring_state.hpp"
#include "vm/state/device_state.hpp"

namespace vballoon::vm {

class Balloon {
 public:
  /// The balloon is inhibited from the start if that wish was kept.
  /// @param folder  has the state that outlives the daemon; null: nothing is kept.
  /// @param large   the configuration of a device 13; nothing: it is the stock device.
  Balloon(const Folder* folder, const std::string& name, const reclaim::ReclaimLimits& limits,
          const std::optional<wire::large::Config>& large = std::nullopt);

  [[nodiscard]] datapath::ConfigSpace& config() noexcept { return config_; }
  [[nodiscard]] const datapath::ConfigSpace& config() const noexcept { return config_; }
  [[nodiscard]] DeviceState& state() noexcept { return state_; }
  [[nodiscard]] const DeviceState& state() const noexcept { return state_; }
  [[nodiscard]] datapath::DataPath& path() noexcept { return path_; }
  [[nodiscard]] const datapath::DataPath& path() const noexcept { return path_; }

  /// Sets another memory map, and the room for the ledger of that memory.
  /// @param goes_on  the balloon in the room is this guest's, or may be. @pre no queue runs
  void set_memory(std::shared_ptr<const gmem::GuestMemory> memory, const DeviceState::Room& room,
                  bool goes_on);
  /// Empties the balloon: all pages are the guest's. The marks of served rings stay.
  void empty(const Rings& rings);
  /// The VMM is gone: forgets its memory, and the driver's fields. @pre no queue runs
  void release();

  /// Keeps for the next daemon what the driver wrote into config space.
  void keep_driver_fields() noexcept;
  /// Puts memory behind the ledger's tables, if there is a target. Without it passes would wait for
  /// page faults, up to 60 us each. Once is enough, because a ledger keeps that memory.
  void provide_tables() noexcept;
  /// Notes in the state that all pages of the ledger are discarded, if that is so.
  /// @pre no queue runs, and what was gathered is discarded as far as it may be
  void note_complete(const Rings& rings) noexcept;

  // --- Wishes that could not be kept are tried again ----------------------------------------

  /// Notes after an attempt to keep wishes whether another attempt is due.
  void note_kept() noexcept;
  /// Thread: any.
  [[nodiscard]] bool keep_due() const noexcept { return keep_due_.load(std::memory_order_relaxed); }
  void keep_again();

 private:
  datapath::ConfigSpace config_;
  DeviceState state_;  // outlives the data path, which writes into it
  datapath::DataPath path_;
  bool tables_provided_ = false;  // those of the present ledger
  std::atomic<bool> keep_due_{false};
  std::chrono::steady_clock::time_point next_keep_{};
};

}  // namespace vballoon::vm
