// SPDX-License-Identifier: BSD-3-Clause
#include "vm/balloon_target.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.hpp"
#include "base/guest_page.hpp"
#include "base/size_text.hpp"

namespace vballoon::vm {
namespace {

std::uint32_t as_pages(std::uint64_t bytes) noexcept {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes_to_pages(bytes), UINT32_MAX));
}

}  // namespace

BalloonTarget::BalloonTarget(Balloon& balloon, const Guest& guest, wire::Dialect dialect,
                             Notices& notices)
    : balloon_(balloon), guest_(guest), dialect_(dialect), notices_(notices) {
  load();
  show();
}

void BalloonTarget::load() {
  const auto word = balloon_.state().target();
  if (!word) return;
  wanted_.forced = word->forced;
  if (word->share != 0) {
    wanted_.size.share = Share{word->share};
  } else {
    wanted_.size.bytes = pages_to_bytes(word->pages);
  }
}

std::uint64_t BalloonTarget::guest_bytes() const noexcept {
  return vm::guest_bytes(balloon_, guest_, dialect_);
}

std::uint32_t BalloonTarget::pages_of(std::uint64_t guest_bytes) const noexcept {
  const std::uint64_t bytes = wanted_.size.of(guest_bytes);
  const auto pages =
      as_pages(guest_bytes == 0 ? bytes : std::min(bytes, wanted_.most(guest_bytes)));
  const auto& large = balloon_.config().large();
  if (!large) return pages;
  // Whole units, as the driver is told.
  const std::uint64_t unit = std::uint64_t{1} << (large->page_shift - kPageShift);
  return static_cast<std::uint32_t>(pages / unit * unit);
}

Result<void> BalloonTarget::check(const Target& target, std::uint64_t guest) const {
  const std::uint64_t bytes = target.size.of(guest);
  if (guest == 0 || bytes <= target.most(guest)) return {};
  if (bytes > guest) {
    return fail(Code::kInvalidArgument,
                fmt::format("a balloon of {} does not fit into '{}', which has {} of memory",
                            format_size(bytes), notices_.name(), format_size(guest)));
  }
  return fail(
      Code::kInvalidArgument,
      fmt::format("a balloon of {} would leave {} to '{}', of its {}; a guest is left {} at "
                  "least, so {} is the most, unless you insist (--force)",
                  format_size(bytes), format_size(guest - bytes), notices_.name(),
                  format_size(guest), format_size(left_to_guest(guest)),
                  format_size(target.most(guest))));
}

Result<TargetSet> BalloonTarget::set(const Target& target) {
  const std::uint64_t guest = guest_bytes();
  if (auto ok = check(target, guest); !ok) return tl::unexpected(ok.error());
  const std::uint64_t before = pages_to_bytes(pages_of(guest));
  wanted_ = target;
  keep(guest);
  static_cast<void>(place(guest));
  return TargetSet{pages_to_bytes(pages_of(guest)), before, guest};
}

void BalloonTarget::keep(std::uint64_t guest) {
  balloon_.state().set_target({as_pages(wanted_.size.of(guest)),
                               wanted_.size.share ? wanted_.size.share->millionths : 0,
                               wanted_.forced});
  balloon_.note_kept();
}

void BalloonTarget::show() {
  if (place(guest_bytes())) notify();
}

bool BalloonTarget::place(std::uint64_t guest) {
  const std::uint32_t pages = pages_of(guest);
  if (pages == balloon_.config().num_pages()) return false;
  balloon_.config().set_num_pages(pages);
  const std::uint64_t asked = wanted_.size.of(guest);
  if (pages >= bytes_to_pages(asked)) return true;
  notices_.warn(
      fmt::format("the target of {} is too much for the {} of memory that its VM has; it is "
                  "lowered to {} as long as this VM is connected",
                  format_size(asked), format_size(guest), format_size(pages_to_bytes(pages))));
  return true;
}

/// A guest's size becomes known by and by, and a share is a part of that size.
void BalloonTarget::follow() {
  if (!wanted_.size.share || !balloon_.config().knows_actual()) return;
  const std::uint64_t shown = pages_to_bytes(balloon_.config().num_pages());
  if (!at_target(shown, pages_to_bytes(pages_of(guest_bytes())))) show();
}

void BalloonTarget::tell() {
  notify();
  if (balloon_.config().knows_actual()) return;
  show();
  question_.begin(now_ms());
}

void BalloonTarget::ask(bool reachable) {
  if (balloon_.config().knows_actual() || !reachable) return hear();
  // The driver does not run, or was not told of the last change yet, so it cannot answer.
  if (!balloon_.path().running(wire::entrance(dialect_).role) || notifies()) {
    static_cast<void>(question_.end());
    return tell();
  }
  const bool other = question_.next(now_ms()) == SizeQuestion::Step::kShowOther;
  const std::uint32_t target = pages_of(guest_bytes());
  balloon_.config().set_num_pages(other ? SizeQuestion::other(target) : target);
  notify();
}

void BalloonTarget::hear() {
  if (question_.end()) show();
}

void BalloonTarget::release() {
  static_cast<void>(question_.end());
  show();
  notified();
}

}  // namespace vballoon::vm
