// SPDX-License-Identifier: BSD-3-Clause
#include "driver/large_guest.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <thread>
#include <utility>

#include "base/check.hpp"
#include "base/size_text.hpp"

namespace vballoon::driver {
namespace {

using wire::large::Reason;

/// DRV-14.
constexpr std::chrono::seconds kAfterRefusal{1};
/// Between two looks at the target.
constexpr std::uint64_t kBytesPerTurn = 512 * kMiB;

/// What the ways that pages go are called, as of the stock balloon.
constexpr std::array<std::pair<MessageKind, const char*>, 3> kWays{{
    {MessageKind::kAdd, "inflate"},
    {MessageKind::kWithdraw, "deflate"},
    {MessageKind::kRelease, "release"},
}};

std::string text_of(const std::vector<unsigned>& shifts) {
  std::vector<std::string> sizes;
  sizes.reserve(shifts.size());
  for (const unsigned shift : shifts) sizes.push_back(format_size(std::uint64_t{1} << shift));
  return fmt::format("{}", fmt::join(sizes, ", "));
}

}  // namespace

Result<std::unique_ptr<LargeGuest>> LargeGuest::start(MessageSocket socket,
                                                      LargeGuestOptions options) {
  auto ram = GuestRam::create(options.habits.ram);
  if (!ram) return tl::unexpected(ram.error());
  std::unique_ptr<LargeGuest> guest(new LargeGuest(*std::move(ram), std::move(options.habits)));
  auto driver =
      LargeBalloonDriver::start(std::move(socket), guest->ram(), std::move(options.driver));
  if (!driver) return tl::unexpected(driver.error());
  guest->driver_ = *std::move(driver);
  if (auto chosen = guest->choose_sizes(options.sizes); !chosen) {
    return tl::unexpected(chosen.error());
  }
  guest->arrange_pages();
  return guest;
}

Result<void> LargeGuest::choose_sizes(const std::vector<std::uint64_t>& wanted) {
  shifts_ = driver_->sizes();
  if (wanted.empty()) return {};
  for (const std::uint64_t size : wanted) {
    if (std::ranges::find(shifts_, std::countr_zero(size)) != shifts_.end()) continue;
    return fail(Code::kInvalidArgument, fmt::format("the device takes no pages of {}, but of {}",
                                                    format_size(size), text_of(shifts_)));
  }
  std::erase_if(shifts_, [&wanted](unsigned shift) {
    return std::ranges::find(wanted, std::uint64_t{1} << shift) == wanted.end();
  });
  return {};
}

void LargeGuest::arrange_pages() {
  pool_.emplace(ram(), driver_->arena(), shifts_, habits().order, habits().seed);
  touch_all(outside_the_balloon());
}

std::vector<Pfn> LargeGuest::outside_the_balloon() const {
  std::vector<Pfn> pages = ram().pages();
  const std::vector<Pfn> inside = small_pages(driver_->balloon().pages());
  const std::vector<Pfn> unused = small_pages(out_of_use_.pages());
  std::erase_if(pages, [&](Pfn pfn) {
    return driver_->arena().holds(pfn) || std::ranges::binary_search(inside, pfn) ||
           std::ranges::binary_search(unused, pfn);
  });
  return pages;
}

void LargeGuest::record(StepOutcome* outcome) {
  outcome->ballooned_bytes = driver_->balloon().bytes();
  outcome->refused_bytes = std::exchange(refused_, 0);
  for (std::size_t kind = 0; kind < kMessageKinds; ++kind) {
    const LargeTraffic traffic = driver_->take_traffic(static_cast<MessageKind>(kind));
    outcome->buffers += traffic.messages;
    outcome->latency.merge(traffic.latency);
    const auto* const way = std::ranges::find(kWays, static_cast<MessageKind>(kind),
                                              [](const auto& known) { return known.first; });
    if (way != kWays.end()) outcome->moved.push_back({way->second, traffic.pages, traffic.bytes});
  }
}

/// Half of what was asked for is not what was asked for.
Result<void> LargeGuest::check_enough(const Step& step) const {
  const bool back = step.verb == Step::Verb::kDeflate || step.verb == Step::Verb::kRelease;
  if (step.bytes == Step::kAll || (!back && step.verb != Step::Verb::kInflate)) return {};
  const std::uint64_t there = back ? driver_->balloon().bytes() : pool_->free_bytes();
  const std::string name = step.text.substr(0, step.text.find(':'));
  if (step.bytes > there) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: the guest has {} {} the balloon; write {}:all for that", step.text,
                            format_size(there), back ? "in" : "outside of", name));
  }
  if (step.bytes % (std::uint64_t{1} << shifts_.back()) == 0) return {};
  return fail(Code::kInvalidArgument,
              fmt::format("{}: that is not in whole pages of {}", step.text, text_of(shifts_)));
}

Result<void> LargeGuest::perform(const Step& step) {
  if (auto ok = check_enough(step); !ok) return ok;
  const auto count = [this](std::uint64_t refused) { refused_ += refused; };
  switch (step.verb) {
    case Step::Verb::kInflate:
      return inflate(step.bytes).map([](std::uint64_t) {});
    case Step::Verb::kDeflate:
      return deflate(step.bytes).map(count);
    case Step::Verb::kRelease:
      return release(step.bytes).map(count);
    case Step::Verb::kPressure:
      return driver_->send_pressure(wire::large::Level::kDirect, {.count = 1});
    case Step::Verb::kFollow:
      return follow(step.duration);
    case Step::Verb::kPause:
      return pause(step.duration);
    case Step::Verb::kReset:
      return reset();
    case Step::Verb::kReport:
    case Step::Verb::kHint:
      return fail(Code::kInvalidArgument,
                  fmt::format("{}: the balloon of large pages has no such thing", step.text));
  }
  VB_UNREACHABLE();
}

Result<std::uint64_t> LargeGuest::inflate(std::uint64_t bytes) {
  std::uint64_t left = std::min(bytes, pool_->free_bytes());
  for (const unsigned shift : shifts_) {
    const std::vector<Gpa> pages = pool_->take(shift, left >> shift);
    if (auto added = driver_->add(pages, shift); !added) return tl::unexpected(added.error());
    left -= pages.size() << shift;
  }
  return left;
}

void LargeGuest::take_back(std::span<const Gpa> pages, unsigned shift) {
  pool_->give_back(pages, shift);
  std::vector<LargePage> back;
  for (const Gpa page : pages) back.push_back({page, shift});
  refill(small_pages(back));
}

Result<std::uint64_t> LargeGuest::deflate(std::uint64_t bytes) {
  std::uint64_t left = std::min(bytes, driver_->balloon().bytes());
  for (const unsigned shift : shifts_) {
    const std::size_t wanted =
        std::min<std::size_t>(left >> shift, driver_->balloon().count(shift));
    const auto pages = driver_->withdraw(wanted, shift);
    if (!pages) return tl::unexpected(pages.error());
    take_back(*pages, shift);
    left -= pages->size() << shift;
  }
  return left;
}

/// The highest addresses first, as memory is unplugged.
Result<std::uint64_t> LargeGuest::release(std::uint64_t bytes) {
  std::uint64_t left = std::min(bytes, driver_->balloon().bytes());
  for (const unsigned shift : shifts_) {
    std::vector<Gpa> pages = driver_->balloon().pages(shift);
    std::ranges::reverse(pages);
    pages.resize(std::min<std::size_t>(pages.size(), left >> shift));
    const auto done = driver_->release(pages, shift);
    if (!done) return tl::unexpected(done.error());
    pages.resize(*done);
    take_back(pages, shift);
    left -= pages.size() << shift;
  }
  return left;
}

/// DRV-19: once for each RESIZE.
Result<bool> LargeGuest::rest(Reason reason) {
  if (!driver_->took(wire::large::Feature::kState) || told_ == driver_->resizes()) return false;
  told_ = driver_->resizes();
  return driver_
      ->send_state(reason, {.size = driver_->to_units(driver_->balloon().bytes()),
                            .target = driver_->target()->units})
      .map([] { return false; });
}

Result<bool> LargeGuest::withdraw_towards(std::uint64_t bytes) {
  if (withheld_until_ && !withheld_until_->passed()) return false;
  withheld_until_.reset();
  const auto kept = deflate(std::min(bytes, kBytesPerTurn));
  if (!kept) return tl::unexpected(kept.error());
  if (*kept < std::min(bytes, kBytesPerTurn)) return true;
  withheld_until_.emplace(kAfterRefusal);
  return rest(Reason::kWithheld);
}

/// @return whether there is more to do now.
Result<bool> LargeGuest::approach(std::uint64_t target) {
  const std::uint64_t now = driver_->balloon().bytes();
  const std::uint64_t smallest = std::uint64_t{1} << shifts_.back();
  if (target > now && target - now >= smallest) {
    const std::uint64_t wanted = std::min(target - now, kBytesPerTurn);
    const auto left = inflate(wanted);
    if (!left) return tl::unexpected(left.error());
    if (driver_->balloon().bytes() != now) return true;
    return rest(Reason::kExhausted);
  }
  if (now > target && now - target >= smallest) return withdraw_towards(now - target);
  return rest(Reason::kReached);
}

Result<void> LargeGuest::follow(std::chrono::milliseconds duration) {
  const Deadline deadline(duration);
  while (!deadline.passed()) {
    const std::uint64_t unit = driver_->config().page_shift;
    const auto moved =
        driver_->target() ? approach(driver_->target()->units << unit) : Result<bool>(false);
    if (!moved) return tl::unexpected(moved.error());
    if (*moved) continue;
    const Deadline until = withheld_until_ ? deadline.or_after(kAfterRefusal / 10) : deadline;
    if (auto served = driver_->serve(until); !served) return tl::unexpected(served.error());
  }
  return {};
}

/// DRV-22; what the device refuses before the reset may have no memory behind it afterwards.
Result<void> LargeGuest::reset() {
  const auto kept = deflate(Step::kAll);
  if (!kept) return tl::unexpected(kept.error());
  refused_ += *kept;
  for (const LargePage& page : driver_->balloon().pages()) out_of_use_.add(page);
  told_.reset();
  return driver_->reset();
}

Result<void> LargeGuest::pause(std::chrono::milliseconds duration) {
  return driver_->pause().and_then([this, duration] {
    std::this_thread::sleep_for(duration);
    return driver_->resume();
  });
}

}  // namespace vballoon::driver
