// SPDX-License-Identifier: BSD-3-Clause
#include "driver/guest.hpp"

#include <chrono>
#include <numeric>
#include <thread>

namespace vballoon::driver {
namespace {

/// Nothing went for so long, so nothing more will: three times as long as a page waits by default.
constexpr std::chrono::milliseconds kStill{60};
constexpr std::chrono::milliseconds kLook{1};
constexpr std::chrono::seconds kSettleAtMost{2};

}  // namespace

std::uint64_t StepOutcome::moved_bytes() const noexcept {
  return std::accumulate(moved.begin(), moved.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const Moved& m) { return sum + m.bytes; });
}

Result<StepOutcome> Guest::run(const Step& step) {
  StepOutcome outcome;
  outcome.step = step.text;
  outcome.allocated_before = ram_.allocated_bytes();
  const auto begin = std::chrono::steady_clock::now();
  if (auto done = perform(step); !done) return tl::unexpected(done.error());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  outcome.seconds = took.count();
  outcome.allocated_after = ram_.allocated_bytes();
  if (step.verb == Step::Verb::kInflate || step.verb == Step::Verb::kFollow) settle(&outcome);
  end_step();
  record(&outcome);
  if (habits_.canaries) {
    outcome.canaries = check_canaries(ram_, outside_the_balloon(), habits_.seed);
  }
  return outcome;
}

/// A backend may take a buffer before its pages are gone: waits until no more of them go.
void Guest::settle(StepOutcome* outcome) const {
  const auto begin = std::chrono::steady_clock::now();
  auto last_change = begin;
  for (auto now = begin; now - last_change < kStill && now - begin < kSettleAtMost;
       now = std::chrono::steady_clock::now()) {
    std::this_thread::sleep_for(kLook);
    const std::uint64_t allocated = ram_.allocated_bytes();
    if (allocated == outcome->allocated_after) continue;
    outcome->allocated_after = allocated;
    last_change = std::chrono::steady_clock::now();
  }
  outcome->settle_seconds = std::chrono::duration<double>(last_change - begin).count();
}

void Guest::touch_all(std::span<const Pfn> pages) {
  if (habits_.touch && !habits_.canaries) {
    for (const Pfn pfn : pages) ram_.page(pfn).front() = std::byte{1};
  }
  refill(pages);
}

void Guest::refill(std::span<const Pfn> pages) {
  if (habits_.canaries) fill_canaries(ram_, pages, habits_.seed);
}

}  // namespace vballoon::driver
