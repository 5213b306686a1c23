// SPDX-License-Identifier: BSD-3-Clause
#include "device/data_path.hpp"

#include <utility>

#include "base/check.hpp"
#include "device/hint_queue.hpp"
#include "device/pfn_queue.hpp"
#include "device/report_queue.hpp"

namespace vballoon::device {
namespace {

std::size_t slot(balloon::Role role) noexcept { return static_cast<std::size_t>(role); }

}  // namespace

DataPath::DataPath(const balloon::ConfigSpace& config, reclaim::Discarder& discarder)
    : reclaimer_(discarder), context_{reclaimer_, counters_, config, false} {}

bool DataPath::poll() noexcept {
  bool worked = false;
  for (const auto& handler : handlers_) {
    if (handler == nullptr || !handler->has_work()) continue;
    handler->serve();
    worked = true;
  }
  if (!worked) return false;
  // Buffers finished in this pass promise that their pages are gone: discard, then publish.
  reclaimer_.flush();
  publish_all();
  show_population();
  return true;
}

void DataPath::publish_all() noexcept {
  for (const auto& handler : handlers_) {
    if (handler != nullptr && handler->ring().publish()) counters_.calls.add(1);
  }
}

void DataPath::show_population() noexcept {
  counters_.ballooned_pages.set(reclaimer_.ballooned_pages());
  counters_.stranded_pages.set(reclaimer_.stranded_pages());
}

std::unique_ptr<QueueHandler> DataPath::make_handler(balloon::Role role, Ring ring, bool resumed) {
  switch (role) {
    case balloon::Role::kInflate: return std::make_unique<InflateQueue>(std::move(ring), context_);
    case balloon::Role::kDeflate: return std::make_unique<DeflateQueue>(std::move(ring), context_);
    case balloon::Role::kHint: return std::make_unique<HintQueue>(std::move(ring), context_);
    case balloon::Role::kReport: return std::make_unique<ReportQueue>(std::move(ring), context_);
    case balloon::Role::kStats:
      return std::make_unique<StatsQueue>(std::move(ring), context_, stats_, resumed);
  }
  return nullptr;
}

Result<void> DataPath::start(balloon::Role role, const QueueSetup& setup) {
  VB_CHECK(memory_ != nullptr && !running(role));
  auto queue = virtq::SplitQueue::open(setup.areas, setup.next_avail, *memory_);
  if (!queue) return tl::unexpected(queue.error());
  Ring ring(*queue, setup, memory_, status_[slot(role)]);
  handlers_[slot(role)] = make_handler(role, std::move(ring), setup.resumed);
  return {};
}

std::uint16_t DataPath::stop(balloon::Role role) noexcept {
  VB_CHECK(running(role));
  // poll() leaves nothing gathered and nothing unpublished, so there is nothing to drain: a buffer
  // that a pass began and did not finish is taken again from its start.
  const std::uint16_t position = handlers_[slot(role)]->ring().position();
  handlers_[slot(role)].reset();
  status_[slot(role)].size.set(0);
  return position;
}

bool DataPath::running(balloon::Role role) const noexcept {
  return handlers_[slot(role)] != nullptr;
}

bool DataPath::any_running() const noexcept {
  for (const auto& handler : handlers_) {
    if (handler != nullptr) return true;
  }
  return false;
}

void DataPath::set_memory(std::shared_ptr<const gmem::GuestMemory> memory) {
  VB_CHECK(!any_running());
  counters_.guest_bytes.set(memory->bytes());
  memory_ = memory;
  reclaimer_.set_memory(std::move(memory));
  show_population();
}

void DataPath::set_features(balloon::Features acked) noexcept {
  context_.page_poison = acked.has(balloon::Feature::kPagePoison);
}

void DataPath::empty_balloon() {
  reclaimer_.reset();
  show_population();
}

void DataPath::release() noexcept {
  VB_CHECK(!any_running());
  reclaimer_.release();
  memory_.reset();
  forget_stats();
  counters_.guest_bytes.set(0);
  show_population();
}

void DataPath::request_stats() noexcept {
  stats_.requested.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace vballoon::device
