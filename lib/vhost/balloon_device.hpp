// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device.hpp - one configured device: its socket, its VMM's connection, its data
//                            path.
// Thread: the vhost event thread drives it, the control thread asks; both under one lock, which is
//         held no longer than a poll lcore takes for a pass.
//
// The data path has one owner at a time. Whatever changes it takes it off its poll lcore first and
// hands it back afterwards; librte_vhost unmaps and invalidates without telling an external poller,
// so this happens before the message that does so is let through.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "datapath/config_space.hpp"
#include "datapath/data_path.hpp"
#include "gmem/lost_memory.hpp"
#include "lcore/poller.hpp"
#include "vhost/backend_channel.hpp"
#include "vhost/connection.hpp"
#include "vhost/device_spec.hpp"
#include "vhost/inflight_region.hpp"
#include "vhost/log_mapping.hpp"
#include "vhost/memory_claims.hpp"
#include "vhost/message.hpp"
#include "vhost/seats.hpp"
#include "vm/size_question.hpp"
#include "vm/state/device_state.hpp"
#include "vm/stats_patience.hpp"
#include "vm/target.hpp"
#include "vm/vm.hpp"
#include "wire/features.hpp"
#include "wire/queue_map.hpp"

namespace vballoon::vhost {

/// Said in the log, and to whoever asks for the device's state.
inline constexpr const char* kMemoryLost =
    "memory of the guest is gone: the file behind it was made shorter, or there was no huge page "
    "left for it; the device is served again when its VM is started anew";
inline constexpr const char* kSlow =
    "whoever touches its memory has to wait: its VMM works on the file behind it; it has a thread "
    "of its own until that is over, and the others do not wait";
inline constexpr const char* kLegacy =
    "the guest's driver is a legacy one (it did not accept VIRTIO_F_VERSION_1) and is not served; "
    "start the VM with a modern device (disable-legacy=on) or a newer driver";

class BalloonDevice final : public vm::Vm {
 public:
  /// @param folder  where what outlives the daemon is kept; null: nowhere.
  BalloonDevice(DeviceSpec spec, Seats& seats, MemoryClaims& claims, reclaim::Discarder& discarder,
                const reclaim::ReclaimLimits& limits, const vm::Folder* folder);
  BalloonDevice(const BalloonDevice&) = delete;
  BalloonDevice& operator=(const BalloonDevice&) = delete;

  // --- The vhost event thread ---------------------------------------------------------------

  /// While a VMM is connected another may wait, and talk of what is nobody's: librte_vhost accepts
  /// one that comes back at once before it sees that its old connection is gone. It takes over when
  /// that is so, and is turned away when it asks for the device before.
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
  void remove_state() noexcept { kept_.remove(); }
  /// What is due and nobody waits for: a config change that could not be sent yet, a guest whose
  /// memory is gone, one that has not said its size, wishes that could not be kept, a VMM whose
  /// process is gone.
  void tick();
  [[nodiscard]] const DeviceSpec& spec() const noexcept { return spec_; }

  [[nodiscard]] const vm::Settings& settings() const noexcept override { return spec_; }
  /// While the event thread has the device: the last ones, and that it is slow.
  [[nodiscard]] vm::VmFigures figures() const override;
  [[nodiscard]] vm::DeviceReport report() const override;
  [[nodiscard]] std::uint64_t pressure_messages() const noexcept override {
    return path_.counters().pressure_messages.get();
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
  void reporting(bool on) override { path_.report(on); }
  Result<std::uint32_t> hint(wire::HintAction action) override;
  Result<void> move_to(unsigned lcore) override;

 private:
  /// As the VMM sent it, region by region.
  struct MemoryTable {
    std::vector<wire::MemoryRegion> regions;
    std::vector<ClaimedRegion> files;
  };
  struct RingState {
    bool ready = false;      // librte_vhost has all it needs of it
    bool suspended = false;  // stopped for the message at hand, to go on after it
    bool over = false;       // not to be touched before its next SET_VRING_KICK, ready or not
    std::optional<wire::Role> role;        // set while it is served
    std::optional<std::uint16_t> stopped;  // where it stopped last on this connection
    bool begun = false;  // it was served on this connection: what others left of it is past
  };
  /// Where a ring goes on.
  struct Place {
    std::uint16_t position = 0;
    bool ours = false;  // where our ledger was left, by what is said
    bool sure = false;  // and by what the ring shows
  };
  struct Found {
    datapath::QueueSetup setup;
    bool unused = false;  // as a new driver's would be
    bool ours = false;    // as Place has it
  };

  [[nodiscard]] std::unique_lock<std::mutex> knock(
      std::chrono::milliseconds patience = std::chrono::milliseconds(250)) const;
  [[nodiscard]] tl::unexpected<Status> busy() const;
  void note_busy() const;
  void take_back();
  void hand_over();
  void start_ring(unsigned index);
  void start_stats(bool resumed);
  [[nodiscard]] bool gap_below(unsigned index) const;
  [[nodiscard]] std::optional<Found> describe_ring(unsigned index) const;
  [[nodiscard]] std::optional<Place> place_left(unsigned index, const virtq::QueueAreas& areas,
                                                std::uint16_t base) const;
  [[nodiscard]] bool decide();
  void go_on();
  void go_on_or_begin();
  void drop_left();
  void start_anew();
  void start_waiting();
  [[nodiscard]] virtq::MarkWords marks_of(unsigned index);
  void note_begun(unsigned index);
  void note_complete() noexcept;
  void take_memory(std::shared_ptr<const gmem::GuestMemory> memory);
  void load_wishes();
  [[nodiscard]] bool may_call(unsigned index, int fd);
  void stop_ring(unsigned index);
  void end_ring(unsigned index);
  void end_rings();
  void suspend(unsigned index);
  void suspend_all();
  void resume_suspended();
  void load_memory();
  [[nodiscard]] Result<void> check_other_files() const;
  void prepare_for(wire::Features features);
  [[nodiscard]] Result<void> claim_memory(const Message& message);
  void look_at_shares();
  void settle_prefault();
  void load_features();
  void let_go();
  void welcome(int vid, Connection connection);
  [[nodiscard]] bool banned() const noexcept;
  [[nodiscard]] rte_vhost_msg_result act_before(Message message);
  [[nodiscard]] rte_vhost_msg_result end_connection(Message message, const char* why);
  [[nodiscard]] rte_vhost_msg_result go_without_fds(Message message);
  void end_orphans();
  [[nodiscard]] rte_vhost_msg_result answer_successor(Message message);
  [[nodiscard]] Result<void> check_target(const vm::Target& target, std::uint64_t guest) const;
  [[nodiscard]] std::uint64_t guest_size() const noexcept;
  [[nodiscard]] std::uint32_t true_target(std::uint64_t guest) const noexcept;
  [[nodiscard]] std::uint32_t true_target() const noexcept { return true_target(guest_size()); }
  void show_target();
  void tell_target();
  void ask_size();
  void hear_size();
  void keep_target(std::uint64_t guest);
  void keep_driver_fields() noexcept;
  void note_kept();
  void keep_again();
  void notify_if_due();
  [[nodiscard]] bool time_to_look() noexcept;
  void look();
  void settle_in();
  void note_slow();
  void provide_tables() noexcept;
  void give_up_lost_memory();
  void stop_rings();
  void warn(const std::string& what);
  void note(const std::string& what);
  void warn_of_legacy();

  rte_vhost_msg_result get_config(Message message) const;
  rte_vhost_msg_result set_config(Message message);
  rte_vhost_msg_result set_log(Message message);
  void forget_log();
  [[nodiscard]] bool shared_memory_lost() const noexcept;
  rte_vhost_msg_result get_inflight(Message message);
  rte_vhost_msg_result set_inflight(Message message);
  void adopt_channel(Message message);

  [[nodiscard]] vm::State state() const;
  [[nodiscard]] vm::HintReport report_hints() const;
  [[nodiscard]] bool was_served() const noexcept;
  void find_figures(vm::VmFigures* figures) const;
  void find_clues(vm::VmFigures* figures) const noexcept;
  void find_stats(vm::VmFigures* figures) const noexcept;
  void find_target(vm::VmFigures* figures) const noexcept;
  void find_memory(vm::VmFigures* figures) const;
  [[nodiscard]] std::string_view trouble(bool slow) const noexcept;
  [[nodiscard]] std::optional<std::uint64_t> reclaimed_bytes(std::optional<std::uint64_t> resident,
                                                             std::uint64_t guest) const noexcept;
  [[nodiscard]] std::vector<vm::QueueReport> report_queues() const;
  [[nodiscard]] std::vector<datapath::NamedCount> report_counters(
      const vm::VmFigures& figures) const;

  const DeviceSpec spec_;
  MemoryClaims& claims_;
  gmem::MemoryWatch watch_;
  gmem::MemoryWatch log_watch_;
  reclaim::Discarder& discarder_;
  mutable std::mutex mutex_;
  mutable vm::DeviceReport last_report_;  // the control thread's
  Seat seat_;

  datapath::ConfigSpace config_;
  // These three before the data path, which writes into them.
  vm::DeviceState kept_;
  InflightRegion inflight_;  // the front end's, on this connection
  UniqueFd lent_;            // travels with a reply
  datapath::DataPath path_;
  bool attached_ = false;  // the poll lcore owns path_

  std::optional<int> vid_;
  std::optional<int> successor_;  // connected, and waits for vid_ to be gone
  Connection connection_;         // of vid_
  Connection next_connection_;    // of successor_
  std::string ended_why_;         // by us, and not for what came; else empty
  std::chrono::steady_clock::time_point banned_until_{};
  std::chrono::steady_clock::time_point no_calls_until_{};
  std::uint64_t blocked_calls_ = 0;  // as last seen
  std::uint64_t lane_moves_ = 0;     // likewise
  bool closed_ = false;
  LogMapping dirty_log_;  // once a VMM has begun to migrate
  bool memory_valid_ = false;
  bool tables_provided_ = false;  // of the ledger that there is
  bool table_missing_ = false;    // the newest memory table could not be taken
  bool memory_lost_ = false;      // on this connection: nothing is served any more
  bool told_of_legacy_ = false;   // on this connection
  bool ends_unsaid_ = false;      // on this connection: see load_features()
  wire::Features acked_;
  std::array<RingState, wire::kQueues> rings_{};
  std::optional<vm::Left> left_;        // of this memory's guest, by earlier daemons or connections
  MemoryTable table_;                   // that librte_vhost has mapped
  MemoryTable next_table_;              // of the message at hand
  std::vector<ClaimedRegion> claimed_;  // as the regions of the memory are
  std::atomic<std::uint64_t> claims_seen_{0};  // MemoryClaims::generation()
  std::uint32_t shared_ = 0;                   // regions that others claim, too: a bit each
  std::string shared_with_;                    // one of these
  std::atomic<bool> wants_prefault_{false};    // the operator
  std::string no_prefault_;                    // why that has no effect; else empty
  std::uint64_t boot_bytes_ = 0;               // see gmem::boot_bytes()
  std::optional<unsigned> home_node_;          // that the guest's memory is bound to
  bool undecided_ = false;                     // whether that is the guest which is connected now
  vm::Target wanted_;      // the operator's, which may be more than the guest has
  vm::SizeQuestion question_;  // to a driver that goes on
  std::optional<std::uint64_t> resident_then_;  // when the inflate ring stopped
  bool ledger_whole_ = true;                    // nothing is in the balloon that it does not know
  std::atomic<bool> keep_due_{false};
  std::chrono::steady_clock::time_point next_keep_{};
  vm::StatsPatience stats_patience_;
  BackendChannel channel_;
  std::atomic<bool> notify_due_{false};
  std::chrono::steady_clock::time_point look_at_{};  // tick()'s
  LogGate log_gate_;
  LogGate note_gate_;  // of what comes and goes: it does not crowd out the warnings
};

}  // namespace vballoon::vhost
