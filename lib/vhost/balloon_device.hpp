// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device.hpp - one configured device: the door to its parts, for the vhost event
//                            thread that drives it and the control thread that asks.
// Thread: both, under one lock, which is held no longer than a poll lcore takes for a pass.
//
// The data path has one owner at a time. Whatever changes it takes it off its poll lcore first and
// hands it back afterwards; librte_vhost unmaps and invalidates without telling an external poller,
// so this happens before the message that does so is let through.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "reclaim/discarder.hpp"
#include "vhost/device_parts.hpp"
#include "vhost/message.hpp"
#include "vhost/vmm_messages.hpp"
#include "vm/vm.hpp"

namespace vballoon::vhost {

class BalloonDevice final : public vm::Vm {
 public:
  /// @param folder  where what outlives the daemon is kept; null: nowhere.
  BalloonDevice(DeviceSpec spec, Seats& seats, MemoryClaims& claims, reclaim::Discarder& discarder,
                const reclaim::ReclaimLimits& limits, const vm::Folder* folder);
  BalloonDevice(const BalloonDevice&) = delete;
  BalloonDevice& operator=(const BalloonDevice&) = delete;

  // --- The vhost event thread ---------------------------------------------------------------

  /// While a VMM is connected another may wait (vhost/connection_slot.hpp).
  /// @return false to refuse: one waits already, or the device is being removed.
  bool connected(int vid);
  void disconnected(int vid);
  /// Before librte_vhost acts on a message. @return what it shall do with it.
  rte_vhost_msg_result before_message(int vid, Message message);
  /// After it did, and not after it failed.
  void after_message(int vid, Message message);
  void ring_changed(int vid, unsigned index, bool ready);

  // --- The control thread -------------------------------------------------------------------

  /// For good: stops the rings and lets go of the guest; later events find the door closed.
  void close();
  /// The next daemon is to know nothing of it. @pre close()
  void remove_state() noexcept { parts_.balloon.state().remove(); }
  /// What is due and nobody waits for: a config change that could not be sent yet, a guest whose
  /// memory is gone, one that has not said its size, wishes that could not be kept, a VMM whose
  /// process is gone.
  void tick();
  [[nodiscard]] const DeviceSpec& spec() const noexcept { return parts_.spec; }

  [[nodiscard]] const vm::Settings& settings() const noexcept override { return parts_.spec; }
  /// While the event thread has the device: the last ones, and that it is slow.
  [[nodiscard]] vm::VmFigures figures() const override;
  [[nodiscard]] vm::DeviceReport report() const override;
  [[nodiscard]] std::uint64_t pressure_messages() const noexcept override {
    return parts_.balloon.path().counters().pressure_messages.get();
  }
  Result<vm::TargetSet> set_target(const vm::Target& target) override;
  [[nodiscard]] vm::Kept kept() const override;
  Result<void> request_stats() override;
  /// From the return on nothing is discarded, nor on its way to be.
  void inhibit(bool on) override;
  /// Nothing here follows that word.
  [[nodiscard]] std::optional<vm::AutomaticWord> automatic() const override;
  void keep_automatic(vm::AutomaticWord word) override;
  Result<void> prefault(bool on) override;
  void reporting(bool on) override { parts_.balloon.path().report(on); }
  Result<std::uint32_t> hint(wire::HintAction action) override;
  Result<void> move_to(unsigned lcore) override;

 private:
  [[nodiscard]] std::unique_lock<std::mutex> knock(
      std::chrono::milliseconds patience = std::chrono::milliseconds(250)) const;
  [[nodiscard]] tl::unexpected<Status> busy() const;
  void note_busy() const;
  void welcome();
  [[nodiscard]] rte_vhost_msg_result end_connection(Message message, const char* why);
  [[nodiscard]] rte_vhost_msg_result answer_waiting(Message message);
  [[nodiscard]] Result<void> check_asks_stats() const;
  void look();
  [[nodiscard]] bool time_to_look() noexcept;
  void settle_in();
  void note_slow();

  reclaim::Discarder& discarder_;
  mutable std::mutex mutex_;
  DeviceParts parts_;
  VmmMessages messages_{parts_};
  // The control thread's.
  mutable vm::DeviceReport last_report_;
  std::uint64_t lane_moves_ = 0;  // as last seen
  std::chrono::steady_clock::time_point look_at_{};
};

}  // namespace vballoon::vhost
