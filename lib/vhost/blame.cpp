// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/blame.hpp"

#include <fmt/format.h>

#include <limits>

#include "keep/boot_clock.hpp"
#include "keep/crash_notes.hpp"

namespace vballoon::vhost {
namespace {

using Standing = Blame::Standing;

/// So many crashes within CrashPage::kWindowMs lead to the next standing.
constexpr unsigned most_of(Standing standing) noexcept {
  switch (standing) {
    case Standing::kServed:
      return 5;
    case Standing::kSetAside:
      return 3;
    case Standing::kShutOut:
      break;
  }
  return std::numeric_limits<unsigned>::max();
}
static_assert(most_of(Standing::kServed) <= keep::CrashPage::kCrashes);

Standing after(Standing standing) noexcept {
  return standing == Standing::kServed ? Standing::kSetAside : Standing::kShutOut;
}

/// A page may say anything.
Standing standing_on(const keep::CrashPage& page) noexcept {
  const std::uint32_t verdict = page.verdict();
  const bool known = verdict <= static_cast<std::uint32_t>(Standing::kShutOut);
  return known ? static_cast<Standing>(verdict) : Standing::kServed;
}

std::string_view describe(Standing standing) noexcept {
  if (standing == Standing::kSetAside) return kWhySetAside;
  return standing == Standing::kShutOut ? kWhyShutOut : "";
}

}  // namespace

void Blame::keep_in(keep::CrashPage& page, std::initializer_list<const void*> hands) noexcept {
  page_ = &page;
  for (const void* const hand : hands) static_cast<void>(keep::answer_for(hand, page));
}

std::string Blame::judge() {
  if (page_ == nullptr) return {};
  const unsigned crashes = page_->crashes(keep::boot_ms());
  const bool news = page_->take_news();
  standing_ = standing_on(*page_);
  if (crashes >= most_of(standing_)) {
    standing_ = after(standing_);
    // First of all: a process that ends in between must not leave crashes that count twice.
    page_->forget_crashes();
    page_->set_verdict(static_cast<std::uint32_t>(standing_));
    return std::string(describe(standing_));
  }
  if (!news) return {};
  return fmt::format(
      "the daemon crashed while it worked for this VM, which makes {} within 10 "
      "minutes{}",
      crashes,
      standing_ == Standing::kServed
          ? fmt::format("; after {} the VM is set aside", most_of(standing_))
          : "");
}

std::string_view Blame::why_not_served() const noexcept {
  return describe(standing_);
}

void Blame::readmit() noexcept {
  standing_ = Standing::kServed;
  if (page_ == nullptr) return;
  page_->set_verdict(0);
  page_->forget_crashes();
}

void Blame::forget() noexcept {
  forget_hands();
  if (page_ != nullptr) page_->begin({});
  page_ = nullptr;
}

void Blame::forget_hands() noexcept {
  if (page_ != nullptr) keep::stop_answering(*page_);
}

}  // namespace vballoon::vhost
