// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/ring_control.hpp - starts and stops the rings of a device, one by one.
// Invariant: a ring is served (vm::RingState) as long as the data path runs its queue. The ring
//            then marks its position in the session's in-flight region and in the state file.
// Thread: the device's lock guards all of it. Only the vhost event thread calls it, except for
//         stop_all(), and for resume() while librte_vhost acts on no message of the device.
// Source: vhost-user protocol, "Ring states"; VIRTIO 1.2, 2.7, 2.8.
#pragma once

#include <optional>

#include "vhost/attachment.hpp"
#include "vhost/blame.hpp"
#include "vhost/call_trust.hpp"
#include "vhost/connection_slot.hpp"
#include "vhost/dirty_log.hpp"
#include "vhost/record.hpp"
#include "vhost/session.hpp"
#include "vhost/vring.hpp"
#include "vm/balloon_target.hpp"
#include "vm/guest_stats.hpp"
#include "vm/notices.hpp"
#include "vm/restart.hpp"

namespace vballoon::vhost {

/// Shown in the log, and as the reason in the device's figures.
inline constexpr const char* kLegacy =
    "the guest's driver is a legacy one (it did not accept VIRTIO_F_VERSION_1) and is not served; "
    "start the VM with a modern device (disable-legacy=on) or a newer driver";

class RingControl {
 public:
  /// The parts of a device that this class works on. They outlive the object.
  struct Parts {
    const wire::Dialect dialect;
    Session& session;
    const ConnectionSlot& slot;
    const Blame& blame;
    vm::Balloon& balloon;
    vm::BalloonTarget& target;
    vm::GuestStats& stats;
    vm::Restart& restart;
    Attachment& attachment;
    DirtyLog& log;
    vm::Notices& notices;
  };
  explicit RingControl(const Parts& parts);

  /// librte_vhost calls the ring ready, or no longer ready.
  void announced(unsigned index, bool ready);
  /// SET_VRING_KICK came for the ring.
  void kicked(unsigned index) noexcept { rings()[index].kick(); }

  /// Stops the ring. A ring that is not there, or not served, is left as it is.
  void stop(unsigned index);
  /// SET_VRING_ENABLE takes it away.
  void disable(unsigned index);
  /// SET_VRING_BASE says where it begins.
  void renew(unsigned index);
  /// An earlier daemon had it so, on the same connection, and nothing is served yet.
  /// @param left  its record in the state file.
  /// @return false where what is there is not the ring that it was.
  [[nodiscard]] bool take_up(unsigned index, const KeptRing& kept,
                             const std::optional<vm::RingRecord>& left);
  /// Stops all rings. librte_vhost is not told where they stand, because its rings are over.
  void stop_all();
  /// Stops the ring until resume().
  void suspend(unsigned index);
  void suspend_all();
  /// The message at hand has been handled. Suspended rings that librte_vhost still has ready go on;
  /// librte_vhost announces the others when they are ready.
  void resume();
  /// Stops the ring, and leaves it alone until its next SET_VRING_KICK: it is no ring any more, or
  /// no longer the ring that it was.
  void end(unsigned index);
  void end_all();

  /// The other ring layout was negotiated.
  void forget_positions() noexcept;

 private:
  struct Found {
    Vring vring;
    vm::RingStart start;
  };

  [[nodiscard]] vm::Rings& rings() noexcept { return parts_.session.guest.rings; }
  [[nodiscard]] datapath::DataPath& path() noexcept { return parts_.balloon.path(); }
  [[nodiscard]] bool may_serve() const noexcept;
  [[nodiscard]] vm::MarksLeft marks_left(unsigned index) const noexcept;
  [[nodiscard]] std::optional<Found> find(unsigned index) const;
  void start(unsigned index);
  void start_waiting();
  [[nodiscard]] bool waits_for_entrance(unsigned index) noexcept;
  /// Calls visit(index) for each ring, first for the one by which pages enter: it tells of a reset.
  template <typename Visit>
  void for_each_in_order(Visit visit) {
    const unsigned first = wire::entrance(parts_.dialect).ring;
    visit(first);
    for (unsigned index = 0; index < rings().size(); ++index) {
      if (index != first) visit(index);
    }
  }
  void decide();
  void serve(unsigned index, wire::Role role, const Found& found);
  [[nodiscard]] datapath::QueueSetup setup_of(unsigned index, const Found& found);
  [[nodiscard]] virtq::MarkWords marks_of(unsigned index) noexcept;
  void note_begun(unsigned index, wire::Role role) noexcept;
  [[nodiscard]] std::uint16_t halt(unsigned index);
  void warn_of_legacy();
  [[nodiscard]] std::optional<std::uint16_t> place_of(unsigned index, const virtq::Mark& mark);

  const Parts parts_;
  CallTrust calls_;
};

}  // namespace vballoon::vhost
