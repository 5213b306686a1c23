// SPDX-License-Identifier: BSD-3-Clause
#include "support/policy_guest.hpp"

#include <algorithm>

#include "support/figures.hpp"
#include "support/rounds.hpp"
#include "support/vm.hpp"

namespace vballoon::perf {
namespace {

using driver::StatEntry;
using wire::Feature;
using wire::StatTag;

constexpr std::uint64_t kSmallArena = 256 * kKiB;

void check(const Result<void>& done) {
  if (!done) give_up(done.error().message);
}

driver::DriverOptions options_of(Sign sign, Manner manner) {
  driver::DriverOptions options;
  // As QEMU's generic device.
  options.protocol_features = ~wire::protocol::kInflightShmfd;
  options.message_queue = sign == Sign::kMessage;
  if (manner == Manner::kLinux) return options;
  options.arena_bytes = kSmallArena;
  options.features = wire::Features{}
                         .with(Feature::kVhostProtocolFeatures)
                         .with(Feature::kVersion1)
                         .with(Feature::kMustTellHost)
                         .with(Feature::kStatsVq)
                         .bits();
  return options;
}

}  // namespace

PolicyGuest::PolicyGuest(driver::MessageSocket socket, std::uint64_t bytes, Sign sign,
                         Manner manner)
    : sign_(sign),
      manner_(manner),
      ram_(or_give_up(driver::GuestRam::create(driver::flat_ram(bytes)))) {
  driver::DriverOptions options = options_of(sign, manner);
  options.stats = stats();
  driver_ = or_give_up(driver::BalloonDriver::start(std::move(socket), ram_, options));
  pages_ = ram_.pages();
  std::erase_if(pages_, [this](Pfn pfn) { return driver_->arena().holds(pfn); });
}

std::uint64_t PolicyGuest::balloon() const noexcept {
  return pages_to_bytes(inside_);
}

void PolicyGuest::serve() {
  const auto moved = or_give_up(driver_->serve(driver::Deadline(std::chrono::seconds(0))));
  if (moved || inside_ != target_) follow();
}

void PolicyGuest::answer() {
  static_cast<void>(or_give_up(driver_->serve(driver::Deadline(std::chrono::seconds(0)))));
}

void PolicyGuest::touch(std::uint64_t bytes) {
  const std::uint64_t pages = std::min(bytes_to_pages(bytes), inside_);
  for (const Pfn pfn : std::span(pages_).subspan(inside_ - pages, pages)) {
    ram_.page(pfn).front() = std::byte{1};
  }
}

void PolicyGuest::use(std::uint64_t bytes) {
  used_ = bytes;
  driver_->set_stats(stats());
}

void PolicyGuest::press(std::uint64_t bytes) {
  swapped_ += bytes;
  pressed_ = true;
  pressed_ns_ = now_ns();
  mark_ = inside_ - std::min(bytes_to_pages(bytes), inside_);
  driver_->set_stats(stats());
  if (sign_ == Sign::kMessage) check(driver_->send_pressure());
}

void PolicyGuest::relieve() {
  pressed_ = false;
  driver_->set_stats(stats());
}

/// All that the specification has a tag for, as Linux sends it.
std::vector<StatEntry> PolicyGuest::stats() const {
  const std::uint64_t has = ram_.bytes() - balloon();
  const std::uint64_t free = pressed_ ? 0 : has - std::min(used_, has);
  const auto entry = [](StatTag tag, std::uint64_t value) {
    return StatEntry{static_cast<std::uint16_t>(tag), value};
  };
  return {entry(StatTag::kSwapIn, 0),
          entry(StatTag::kSwapOut, swapped_),
          entry(StatTag::kMajorFaults, 0),
          entry(StatTag::kMinorFaults, 0),
          entry(StatTag::kFree, free),
          entry(StatTag::kTotal, ram_.bytes()),
          entry(StatTag::kAvailable, free),
          entry(StatTag::kDiskCaches, 0),
          entry(StatTag::kHugetlbAllocations, 0),
          entry(StatTag::kHugetlbFailures, 0)};
}

void PolicyGuest::follow() {
  while ((target_ = or_give_up(driver_->num_pages())) != inside_) {
    const std::uint64_t way = std::max(target_, inside_) - std::min(target_, inside_);
    const std::uint64_t turn =
        manner_ == Manner::kLinux ? std::min<std::uint64_t>(way, Vm::kPagesPerBuffer) : way;
    if (target_ > inside_) {
      check(driver_->inflate(std::span(pages_).subspan(inside_, turn)));
      inside_ += turn;
    } else {
      inside_ -= turn;
      check(driver_->deflate(std::span(pages_).subspan(inside_, turn)));
      note_progress();
    }
    check(driver_->write_actual(static_cast<std::uint32_t>(inside_)));
  }
  driver_->set_stats(stats());
}

void PolicyGuest::note_progress() {
  if (!pressed_ || inside_ > mark_ || waited_ms_ > 0) return;
  waited_ms_ = (now_ns() - pressed_ns_) / 1e6;
}

}  // namespace vballoon::perf
