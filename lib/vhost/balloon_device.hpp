// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device.hpp - one configured device: the functions that the vhost event thread and
//                            the control thread call. Its parts (DeviceParts) do the work.
// Thread: both, under one lock. The thread that holds it waits for no guest, but may wait for the
//         data path to leave its poll lcore.
//
// The data path has one owner at a time. A function that changes it takes it off its poll lcore
// first, and attaches it again afterwards. librte_vhost unmaps memory and invalidates rings without
// telling an external poller, so the data path leaves its lcore before such a message is let
// through.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "reclaim/discarder.hpp"
#include "vhost/device_parts.hpp"
#include "vhost/listener.hpp"
#include "vhost/message.hpp"
#include "vhost/restore.hpp"
#include "vhost/vmm_messages.hpp"
#include "vm/vm.hpp"

namespace vballoon::vhost {

class BalloonDevice final : public vm::Vm {
 public:
  /// @param folder  has the state that outlives the daemon; null: nothing is kept.
  BalloonDevice(DeviceSpec spec, Seats& seats, MemoryClaims& claims, reclaim::Discarder& discarder,
                const reclaim::ReclaimLimits& limits, const vm::Folder* folder);
  BalloonDevice(const BalloonDevice&) = delete;
  BalloonDevice& operator=(const BalloonDevice&) = delete;

  // --- The vhost event thread ---------------------------------------------------------------

  /// A VMM connected. It is served, or waits while another VMM is served (ConnectionSlot).
  /// @return false to refuse the connection: see ConnectionSlot::admits(); or there are no
  ///         descriptors left for a VMM that connected to the device's socket.
  bool connected(int vid);
  void disconnected(int vid);
  /// Called before librte_vhost acts on a message. @return what librte_vhost does with the message.
  rte_vhost_msg_result before_message(int vid, Message message);
  /// Called after librte_vhost acted on a message, unless that failed.
  void after_message(int vid, Message message);
  void ring_changed(int vid, unsigned index, bool ready);

  // --- The control thread, before a VMM can connect ------------------------------------------

  /// From now on crashes of its doing are noted on this page, which outlives the device. It may be
  /// set aside because of those that are there.
  void answer_for_crashes(keep::CrashPage& page);
  /// From now on the device and its connection outlive the process, in this bag.
  /// @param settings  see keep_settings().
  /// @param door      where its VMMs knock; null: it connects to them.
  void keep_in(std::unique_ptr<StoredBag> bag, std::string settings, const Listener* door);
  /// The same, with the connection that an earlier daemon put there.
  /// @return the end of a socket pair that librte_vhost is to accept for it.
  /// @errors the reason why the connection ends instead.
  [[nodiscard]] Result<UniqueFd> take_up(Inheritance inheritance, const Listener* door);
  /// It waits for that connection. Thread: any.
  [[nodiscard]] bool restoring() const noexcept { return restoring_.load(); }

  // --- The control thread -------------------------------------------------------------------

  /// Ends the device for good: stops the rings and lets go of the guest. Later events have no
  /// effect.
  /// @param hands_on  the device is for the next daemon, where it is kept.
  /// @return whether it is.
  bool close(bool hands_on);
  /// These lines are for the next daemon, where the device outlives this one.
  void keep_settings(std::string lines);
  /// Removes the device's state: the next daemon knows nothing of the device. @pre close()
  void remove_state() noexcept {
    parts_.balloon.state().remove();
    parts_.kept.forget();
    parts_.blame.forget();
  }
  /// Does work that is due and that nobody waits for: sends a config change that could not be sent
  /// yet, gives up a guest whose memory is gone, asks a driver that has not said its size, tries
  /// again to keep wishes, ends the connection of a VMM whose process is gone, and the like.
  void tick(std::uint64_t now_ms);
  [[nodiscard]] const DeviceSpec& spec() const noexcept { return parts_.spec; }

  [[nodiscard]] const vm::Settings& settings() const noexcept override { return parts_.spec; }
  /// Where the event thread has the device for long, these are the last figures, marked as slow.
  [[nodiscard]] vm::VmFigures figures() const override;
  [[nodiscard]] vm::DeviceReport report() const override;
  [[nodiscard]] std::uint64_t pressure_messages() const noexcept override {
    return parts_.balloon.path().counters().pressure_messages.get();
  }
  Result<vm::TargetSet> set_target(const vm::Target& target) override;
  [[nodiscard]] vm::Kept kept() const override;
  Result<void> request_stats() override;
  /// From the return of inhibit(true) on, nothing is discarded or on its way to be discarded.
  void inhibit(bool on) override;
  /// The device only keeps this word, and does not follow it.
  [[nodiscard]] std::optional<vm::AutomaticWord> automatic() const override;
  void keep_automatic(vm::AutomaticWord word) override;
  Result<void> prefault(bool on) override;
  void reporting(bool on) override { parts_.balloon.path().report(on); }
  void effort(std::uint64_t effort) override;
  Result<std::uint32_t> hint(wire::HintAction action) override;
  Result<void> move_to(unsigned lcore) override;
  Result<void> readmit() override;

 private:
  [[nodiscard]] std::unique_lock<std::mutex> knock(
      std::chrono::milliseconds patience = std::chrono::milliseconds(250)) const;
  [[nodiscard]] tl::unexpected<Status> busy() const;
  void note_busy() const;
  void welcome();
  [[nodiscard]] rte_vhost_msg_result handle(int vid, Message message);
  [[nodiscard]] rte_vhost_msg_result end_connection(Message message, const char* why);
  [[nodiscard]] rte_vhost_msg_result answer_waiting(Message message);
  [[nodiscard]] rte_vhost_msg_result swap(int vid);
  [[nodiscard]] Result<void> go_on_with(Restore& restore, int vid);
  [[nodiscard]] bool admit(Connection& connection, bool client);
  void use_bag(std::unique_ptr<StoredBag> bag, std::string settings, const Listener* door);
  void give_up_restore();
  [[nodiscard]] Result<void> check_asks_stats() const;
  void look();
  [[nodiscard]] bool time_to_look(std::uint64_t now_ms) noexcept;
  void settle_in(std::uint64_t now_ms);
  void note_slow();

  reclaim::Discarder& discarder_;
  mutable std::mutex mutex_;
  DeviceParts parts_;
  VmmMessages messages_{parts_};
  std::unique_ptr<Restore> restore_;  // until the swap
  bool acting_ = false;  // librte_vhost acts on a message of the device: its rings may change
  std::atomic<bool> restoring_{false};
  // Used by the control thread only.
  mutable vm::DeviceReport last_report_;
  std::uint64_t lane_moves_ = 0;  // their number at the last tick
  std::uint64_t look_at_ms_ = 0;
};

}  // namespace vballoon::vhost
