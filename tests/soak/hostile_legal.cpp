// SPDX-License-Identifier: BSD-3-Clause
//
// tests/soak/hostile_legal.cpp - what any guest and VMM may do, though few do so much of it.
#include <array>
#include <cstring>

#include "driver/canary.hpp"
#include "hostile.hpp"

namespace vballoon::soak {

using driver::Role;

void Hostile::inflate() {
  expect(driver_->inflate(some_pages(1500)));
}

void Hostile::deflate() {
  expect(driver_->deflate(some_pages(1500)));
}

void Hostile::report() {
  if (!driver_->queue_number(Role::kReport)) return;
  auto ranges = some_ranges(32);
  // A direct chain must fit into the ring.
  ranges.resize(std::min<std::size_t>(ranges.size(), driver_->queue(Role::kReport).size()));
  if (!ranges.empty()) expect(driver_->report(ranges));
}

void Hostile::hint() {
  if (driver_->queue_number(Role::kHint)) expect(driver_->hint(some_ranges(8)));
}

void Hostile::stats() {
  std::vector<driver::StatEntry> entries;
  for (unsigned i = below(40); i > 0; --i) {
    entries.push_back({static_cast<std::uint16_t>(any64()), any64()});
  }
  driver_->set_stats(std::move(entries));
  expect(driver_->serve(driver::Deadline(std::chrono::milliseconds(below(5)))));
}

void Hostile::config() {
  const auto pages = driver_->num_pages();
  expect(pages);
  if (pages) expect(driver_->write_actual(any32()));
}

/// Memory that the host has to take away again, when it is ballooned or reported.
void Hostile::touch() {
  for (const Pfn pfn : some_pages(256)) driver::fill_canary(ram_->page(pfn), 1, pfn);
}

void Hostile::reset() {
  expect(driver_->reset(some_options()));
}

void Hostile::pause() {
  expect(driver_->pause());
  nap(3000);
  expect(driver_->resume());
}

void Hostile::plug() {
  const Gpa at{kGiB};
  if (ram_->map().find(at) == nullptr) {
    if (ram_->table().size() == wire::kMaxRegions) return;
    expect(ram_->plug(at, 2 * kMiB));
  } else {
    expect(ram_->unplug(at));
  }
  expect(driver_->update_memory());
  pages_ = ram_->pages();
  std::erase_if(pages_, [this](Pfn pfn) { return driver_->arena().holds(pfn); });
}

void Hostile::reconnect() {
  renew();
}

void Hostile::stay_away() {
  leave();
  nap(200'000);
}

}  // namespace vballoon::soak
