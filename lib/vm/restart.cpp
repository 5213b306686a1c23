// SPDX-License-Identifier: BSD-3-Clause
#include "vm/restart.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/size_text.hpp"

namespace vballoon::vm {

void Restart::take_memory(std::shared_ptr<const gmem::GuestMemory> memory) {
  Takeover& takeover = guest_.takeover;
  const bool first = balloon_.path().memory() == nullptr;
  const auto room = balloon_.state().room_for(*memory);
  if (first) takeover = Takeover(room.filled ? balloon_.state().left() : std::nullopt);
  balloon_.set_memory(std::move(memory), room, room.filled && (!first || takeover.undecided()));
  balloon_.state().commit(!first && !takeover.undecided());
  balloon_.note_kept();
  if (takeover.undecided() && !room.filled) drop_left();
  if (guest_.handed_on && takeover.undecided()) take_up();
}

/// What was left is this guest's, and no ring has to tell so.
void Restart::take_up() {
  go_on();
  guest_.takeover.drop();
  guest_.handed_on = false;
}

void Restart::decide(const std::optional<RingStart>& entrance,
                     const std::optional<RingStart>& companion) {
  const Left& left = *guest_.takeover.left();
  const Evidence evidence{left.features == guest_.acked.bits(),
                          left.rings[wire::companion(dialect_).ring].layout != kNoRing, entrance,
                          companion};
  switch (judge(evidence)) {
    case Verdict::kSameDriver:
      return go_on();
    case Verdict::kSameOrNew:
      return go_on_or_begin();
    case Verdict::kAnother:
      return drop_left();
  }
}

void Restart::go_on() {
  const Left& left = *guest_.takeover.left();
  guest_.takeover.go_on();
  balloon_.config().restore_driver_fields(left.actual_pages, left.knows_actual, left.poison);
  note_begun();
  if (!left.complete) balloon_.path().discard_again();
  balloon_.provide_tables();
  // The earlier daemon may have ended before it told the driver of a new target.
  target_.notify();
  const auto pages = balloon_.path().counters().ballooned_pages.get();
  notices_.note(fmt::format("its guest goes on with the {} that were in its balloon",
                            format_size(pages_to_bytes(pages))));
}

/// The inflate ring looks unused: the old driver's balloon is as empty as a new driver's, and which
/// of the two drivers is there does not show. The poison value that the old driver wrote stays in
/// force, because a new driver writes its own. Either driver is told of the target.
void Restart::go_on_or_begin() {
  datapath::ConfigSpace& config = balloon_.config();
  const std::uint32_t poison = guest_.takeover.left()->poison;
  if (guest_.acked.has(wire::Feature::kPagePoison) && config.poison_value() == 0) {
    config.restore_driver_fields(config.actual(), config.knows_actual(), poison);
  }
  if (balloon_.path().counters().ballooned_pages.get() == 0) {
    notices_.note("its guest had nothing in its balloon yet");
    begin_anew();
  } else {
    drop_left();
  }
  balloon_.keep_driver_fields();
  target_.notify();
}

void Restart::drop_left() {
  notices_.note(
      "its guest is not known to be the one that was served before; its balloon counts as empty");
  begin_anew();
}

/// The driver is a new one, or may be one: all pages are its guest's.
void Restart::begin_anew() {
  guest_.takeover.drop();
  balloon_.empty(guest_.rings);
}

void Restart::meet_driver(const RingState& ring, const RingStart& start) {
  datapath::ConfigSpace& config = balloon_.config();
  begin_anew();
  balloon_.provide_tables();
  // The driver may be the old one after all, and hold pages that it hinted until it sees DONE.
  if (config.hint_command() != wire::kHintDone) target_.notify();
  // The balloon of a driver that begins anew is empty. A driver that comes from another host goes
  // on where it was, with the size that the VMM has restored; the ledger learns its pages as they
  // come.
  guest_.ledger_whole = start.unused;
  if (start.unused) {
    config.begin_anew();
  } else {
    if (ring.begun()) config.forget_actual();
    static_cast<void>(config.command_hints(wire::HintAction::kDone));
  }
  balloon_.keep_driver_fields();
}

}  // namespace vballoon::vm
