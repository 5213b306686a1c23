// SPDX-License-Identifier: BSD-3-Clause
#include "driver/pretend_guest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/check.hpp"
#include "base/size_text.hpp"

namespace vballoon::driver {
namespace {

/// Linux's VIRTIO_BALLOON_ARRAY_PFNS_MAX: so many pages between two looks at num_pages.
constexpr std::uint64_t kPagesPerTurn = 256;
/// As large as a block of Linux's page reporting gets on x86.
constexpr std::uint64_t kReportBytes = 4 * kMiB;

std::vector<Pfn> usable(const GuestRam& ram, const Arena& arena) {
  std::vector<Pfn> pages = ram.pages();
  std::erase_if(pages, [&arena](Pfn pfn) { return arena.holds(pfn); });
  return pages;
}

}  // namespace

Result<std::unique_ptr<PretendGuest>> PretendGuest::start(MessageSocket socket,
                                                          GuestOptions options) {
  auto ram = GuestRam::create(options.habits.ram);
  if (!ram) return tl::unexpected(ram.error());
  std::unique_ptr<PretendGuest> guest(new PretendGuest(*std::move(ram), std::move(options.habits)));
  auto driver = BalloonDriver::start(std::move(socket), guest->ram(), std::move(options.driver));
  if (!driver) return tl::unexpected(driver.error());
  guest->driver_ = *std::move(driver);
  guest->arrange_pages();
  return guest;
}

void PretendGuest::arrange_pages() {
  pool_ = PagePool(arrange(usable(ram(), driver_->arena()), habits().order, habits().seed));
  touch_all(pool_.free());
}

void PretendGuest::record(StepOutcome* outcome) {
  outcome->ballooned_bytes = pages_to_bytes(pool_.ballooned().size());
  for (std::size_t role = 0; role < kStockRoles; ++role) {
    const Traffic traffic = driver_->take_traffic(static_cast<Role>(role));
    outcome->moved.push_back({kRoleNames[role], traffic.pages, pages_to_bytes(traffic.pages)});
    outcome->buffers += traffic.buffers;
    outcome->latency.merge(traffic.latency);
  }
}

std::vector<Pfn> PretendGuest::outside_the_balloon() const {
  return {pool_.free().begin(), pool_.free().end()};
}

/// Half of what was asked for is not what was asked for.
Result<void> PretendGuest::check_enough(const Step& step) const {
  if (step.bytes == Step::kAll) return {};
  const bool back = step.verb == Step::Verb::kDeflate;
  const bool forth = step.verb == Step::Verb::kInflate || step.verb == Step::Verb::kReport ||
                     step.verb == Step::Verb::kHint;
  const std::uint64_t there = pages_to_bytes(back ? pool_.ballooned().size() : pool_.free().size());
  if ((!back && !forth) || step.bytes <= there) return {};
  const std::string name = step.text.substr(0, step.text.find(':'));
  return fail(Code::kInvalidArgument,
              fmt::format("{}: the guest has {} {} the balloon; write {}:all for that", step.text,
                          format_size(there), back ? "in" : "outside of", name));
}

Result<void> PretendGuest::perform(const Step& step) {
  if (auto ok = check_enough(step); !ok) return ok;
  const std::uint64_t pages = bytes_to_pages(step.bytes);
  switch (step.verb) {
    case Step::Verb::kInflate:
      return inflate(pages).and_then([this] { return write_actual(); });
    case Step::Verb::kDeflate:
      return deflate(pages).and_then([this] { return write_actual(); });
    case Step::Verb::kReport:
      return report(pages);
    case Step::Verb::kHint:
      return driver_->hint(free_ranges(pages));
    case Step::Verb::kPressure:
      return driver_->send_pressure();
    case Step::Verb::kFollow:
      return follow(step.duration);
    case Step::Verb::kPause:
      return pause(step.duration);
    case Step::Verb::kRelease:
      return fail(Code::kInvalidArgument,
                  fmt::format("{}: only the balloon of large pages has it", step.text));
    case Step::Verb::kReset:
      return reset();
  }
  VB_UNREACHABLE();
}

Result<void> PretendGuest::inflate(std::uint64_t pages) {
  return driver_->inflate(pool_.take(pages));
}

Result<void> PretendGuest::deflate(std::uint64_t pages) {
  const std::span<const Pfn> back = pool_.give_back(pages);
  return driver_->deflate(back).map([this, back] { refill(back); });
}

std::vector<GpaRange> PretendGuest::free_ranges(std::uint64_t pages) const {
  const std::span<const Pfn> free = pool_.free();
  return merge_ranges(free.first(std::min<std::size_t>(free.size(), pages)), kReportBytes);
}

Result<void> PretendGuest::report(std::uint64_t pages) {
  reported_ = pool_.free().first(std::min<std::size_t>(pool_.free().size(), pages));
  return driver_->report(free_ranges(pages));
}

Result<void> PretendGuest::write_actual() {
  return driver_->write_actual(static_cast<std::uint32_t>(pool_.ballooned().size()));
}

Result<bool> PretendGuest::approach_target() {
  const auto target = driver_->num_pages();
  if (!target) return tl::unexpected(target.error());
  const std::uint64_t now = pool_.ballooned().size();
  const bool grow = *target > now;
  const std::uint64_t away = grow ? *target - now : now - *target;
  if (away == 0 || (grow && pool_.free().empty())) return false;
  const std::uint64_t turn = std::min(away, kPagesPerTurn);
  return (grow ? inflate(turn) : deflate(turn)).and_then([this] { return write_actual(); }).map([] {
    return true;
  });
}

Result<void> PretendGuest::follow(std::chrono::milliseconds duration) {
  const Deadline deadline(duration);
  while (!deadline.passed()) {
    const auto moved = approach_target();
    if (!moved) return tl::unexpected(moved.error());
    if (*moved) continue;
    if (auto served = driver_->serve(deadline); !served) return tl::unexpected(served.error());
  }
  return {};
}

Result<void> PretendGuest::reset() {
  const std::vector<Pfn> back(pool_.ballooned().begin(), pool_.ballooned().end());
  return driver_->reset().map([this, &back] {
    pool_.empty_balloon();
    refill(back);
  });
}

Result<void> PretendGuest::pause(std::chrono::milliseconds duration) {
  return driver_->pause().and_then([this, duration] {
    std::this_thread::sleep_for(duration);
    return driver_->resume();
  });
}

}  // namespace vballoon::driver
