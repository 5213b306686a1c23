// SPDX-License-Identifier: BSD-3-Clause
//
// vm/restart.hpp - decides whose balloon the ledger has: that of the guest that was served before,
//                  which goes on, or that of another driver, which begins anew.
// Thread: the device's lock guards all of it.
// Source: section 9 of the design.
#pragma once

#include <memory>
#include <optional>

#include "gmem/guest_memory.hpp"
#include "vm/balloon.hpp"
#include "vm/balloon_target.hpp"
#include "vm/guest.hpp"
#include "vm/notices.hpp"
#include "vm/takeover.hpp"

namespace vballoon::vm {

class Restart {
 public:
  /// The arguments outlive this object.
  Restart(Balloon& balloon, Guest& guest, BalloonTarget& target, Notices& notices,
          wire::Dialect dialect = wire::Dialect::kStock) noexcept
      : balloon_(balloon), guest_(guest), target_(target), notices_(notices), dialect_(dialect) {}

  /// Takes a new memory map, and finds room for the ledger of that memory. @pre no queue runs
  void take_memory(std::shared_ptr<const gmem::GuestMemory> memory);

  /// Decides whether the ledger that was left is this guest's. No page of such a ledger may be
  /// discarded before. The ring by which pages enter (wire::entrance()) alone does not tell, so no
  /// ring is served before its companion is there as well.
  /// @pre guest.takeover.undecided(); afterwards it is decided
  void decide(const std::optional<RingStart>& entrance, const std::optional<RingStart>& companion);

  /// The first ring to be served, or that by which pages enter, starts and is not resumed: its
  /// driver is another one, or comes from another host. @pre the path is off its lcore
  void meet_driver(const RingState& ring, const RingStart& start);

  /// Notes that a ring is served from now on. @pre the ring's mark is stored
  void note_begun() noexcept { balloon_.state().begin(guest_.acked.bits()); }

 private:
  void take_up();
  void go_on();
  void go_on_or_begin();
  void drop_left();
  void begin_anew();

  Balloon& balloon_;
  Guest& guest_;
  BalloonTarget& target_;
  Notices& notices_;
  const wire::Dialect dialect_;
};

}  // namespace vballoon::vm
