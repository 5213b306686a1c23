// SPDX-License-Identifier: BSD-3-Clause
//
// vm/restart.hpp - whose balloon the ledger has: it goes on with the guest that was served before,
//                  or begins anew with another driver.
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
  /// All of them outlive this.
  Restart(Balloon& balloon, Guest& guest, BalloonTarget& target, Notices& notices) noexcept
      : balloon_(balloon), guest_(guest), target_(target), notices_(notices) {}

  /// A new memory map, with the room of the ledger in it. @pre no queue runs
  void take_memory(std::shared_ptr<const gmem::GuestMemory> memory);

  /// Of a ledger that is not known to be this guest's nothing may be discarded, and its inflate
  /// ring alone does not tell: so no ring is served before these two are there.
  /// @pre guest.takeover.undecided(); from then on it is not
  void decide(const std::optional<RingStart>& inflate, const std::optional<RingStart>& deflate);

  /// The first ring, or the inflate ring, begins so, and does not resume. @pre the path is off its
  /// lcore
  void meet_driver(const RingState& ring, const RingStart& start);

  /// A ring is served from now on. @pre its mark is stored
  void note_begun() noexcept { balloon_.state().begin(guest_.acked.bits()); }

 private:
  void go_on();
  void go_on_or_begin();
  void drop_left();
  void begin_anew();

  Balloon& balloon_;
  Guest& guest_;
  BalloonTarget& target_;
  Notices& notices_;
};

}  // namespace vballoon::vm
