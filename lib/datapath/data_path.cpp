// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/data_path.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/clock.hpp"
#include "datapath/message_queue.hpp"
#include "datapath/pfn_queue.hpp"
#include "datapath/report_queue.hpp"

namespace vballoon::datapath {
namespace {

std::size_t slot(wire::Role role) noexcept {
  return static_cast<std::size_t>(role);
}

}  // namespace

DataPath::DataPath(const datapath::ConfigSpace& config, reclaim::ReclaimLimits limits)
    : reclaimer_(limits), context_{reclaimer_, counters_, config, reporting_} {}

bool DataPath::poll() noexcept {
  // A buffer may be held though nothing is on its way any more: its pages were gone just now.
  const bool going_on = reclaimer_.busy() || holds_any();
  if (!going_on && !has_work()) return false;
  context_.now_us = now_us();
  reclaimer_.begin_pass();
  const bool served = serve();
  // Buffers that need not wait for the discards do not: acknowledgement latency is throughput.
  if (served) publish_all();
  const bool moved = move_on();
  if (moved) lone_ = false;
  if (served || moved) show_population();
  return served || moved;
}

void DataPath::watch(std::span<Watch, kWatches> out) const noexcept {
  // There are more roles than rings: no device has all of them.
  auto next = out.begin();
  for (const auto& handler : handlers_) {
    if (handler != nullptr) *next++ = handler->ring().watch();
  }
  std::fill(next, out.end(), nothing_to_watch());
  static_assert(sizeof(attention_) == sizeof(std::uint16_t));
  out.back() = Watch{reinterpret_cast<const std::uint16_t*>(&attention_),
                     attention_.load(std::memory_order_acquire)};
}

std::uint64_t DataPath::look_again_us() const noexcept {
  if (holds_any() || has_work()) return 0;
  return reclaimer_.busy_from_us(context_.now_us);
}

bool DataPath::has_work() const noexcept {
  for (const auto& handler : handlers_) {
    if (handler != nullptr && handler->has_work()) return true;
  }
  return false;
}

bool DataPath::quiesce() noexcept {
  context_.now_us = now_us();
  static_cast<void>(move_on());
  show_population();
  // Reports of a chain that a pass began and did not finish are held by no buffer.
  return reclaimer_.settled() && !holds_any();
}

bool DataPath::serve() noexcept {
  bool served = false;
  lone_ = true;
  for (std::size_t i = 0; i < handlers_.size(); ++i) {
    if (handlers_[i] == nullptr || !handlers_[i]->has_work()) continue;
    handlers_[i]->serve();
    served = true;
    lone_ &= i == slot(wire::Role::kStats) || i == slot(wire::Role::kMessage);
  }
  return served;
}

/// Moves discards on, and the buffers that waited for them. @return whether anything moved.
bool DataPath::move_on() noexcept {
  const bool moving = reclaimer_.in_flight() || holds_any();
  const reclaim::Fence before = reclaimer_.handed_over();
  const HeldBuffers* const inflates = held_of(wire::Role::kInflate);
  reclaimer_.pump(context_.now_us, inflates != nullptr && inflates->unsealed());
  seal(wire::Role::kInflate, reclaimer_.drained());
  // Reports do not wait for the window, nor it for them: they come by the second, it gathers.
  seal(wire::Role::kReport, reclaimer_.reports_handed_over());
  seal(wire::Role::kDeflate, reclaimer_.prefaults_handed_over());
  for (const auto& handler : handlers_) {
    if (handler != nullptr) handler->let_go();
  }
  publish_all();
  return moving || !(before == reclaimer_.handed_over());
}

HeldBuffers* DataPath::held_of(wire::Role role) const noexcept {
  const auto& handler = handlers_[slot(role)];
  return handler != nullptr ? handler->held() : nullptr;
}

/// Gives held buffers their fence, where what they wait for is handed over now.
void DataPath::seal(wire::Role role, bool handed_over) noexcept {
  HeldBuffers* const held = held_of(role);
  if (handed_over && held != nullptr) held->seal(reclaimer_.handed_over());
}

bool DataPath::holds_any() const noexcept {
  for (const auto& handler : handlers_) {
    const HeldBuffers* held = handler != nullptr ? handler->held() : nullptr;
    if (held != nullptr && !held->empty()) return true;
  }
  return false;
}

/// A sink of its own: one that others share might be in use by a thread that does not come back.
void DataPath::discard_by_itself(reclaim::Discarder& discarder) {
  own_sink_ = std::make_unique<reclaim::InlineSink>(discarder);
  set_sink(*own_sink_);
}

void DataPath::discard_gathered(reclaim::BatchSink& sink) noexcept {
  reclaimer_.set_sink(sink);
  do {
    reclaimer_.pump(0, true);
  } while (!reclaimer_.drained());
}

void DataPath::publish_all() noexcept {
  for (const auto& handler : handlers_) {
    if (handler == nullptr) continue;
    const virtq::Call::Sent sent = handler->ring().publish();
    if (sent == virtq::Call::Sent::kCalled) counters_.calls.add(1);
    if (sent == virtq::Call::Sent::kHeldUp) counters_.blocked_calls.add(1);
  }
}

void DataPath::show_population() noexcept {
  counters_.ballooned_pages.set(reclaimer_.ballooned_pages());
  counters_.stranded_pages.set(reclaimer_.stranded_pages());
}

std::unique_ptr<QueueHandler> DataPath::make_handler(wire::Role role, Ring ring, bool resumed) {
  switch (role) {
    case wire::Role::kInflate:
      return std::make_unique<InflateQueue>(std::move(ring), context_);
    case wire::Role::kDeflate:
      return std::make_unique<DeflateQueue>(std::move(ring), context_);
    case wire::Role::kHint:
      return std::make_unique<HintQueue>(std::move(ring), context_, hints_, resumed);
    case wire::Role::kReport:
      return std::make_unique<ReportQueue>(std::move(ring), context_);
    case wire::Role::kMessage:
      return std::make_unique<MessageQueue>(std::move(ring), context_);
    case wire::Role::kStats:
      return std::make_unique<StatsQueue>(std::move(ring), context_, stats_, resumed);
  }
  return nullptr;
}

Result<void> DataPath::start(wire::Role role, const QueueSetup& setup) {
  VB_CHECK(memory_ != nullptr && !running(role) && rings_running() < wire::kQueues);
  auto queue = virtq::Queue::open(setup.areas, setup.position, *memory_);
  if (!queue) return tl::unexpected(queue.error());
  queue->log_writes(setup.log, *memory_);
  queue->keep_mark(setup.marks);
  Ring ring(*queue, setup, memory_, status_[slot(role)]);
  handlers_[slot(role)] = make_handler(role, std::move(ring), setup.resumed);
  return {};
}

std::uint16_t DataPath::stop(wire::Role role) noexcept {
  VB_CHECK(running(role));
  // A buffer that a pass began and did not finish is taken again from its start. Pages that wait in
  // the window stay there: they are in the balloon until the driver is reset.
  const std::uint16_t position = handlers_[slot(role)]->ring().position();
  handlers_[slot(role)].reset();
  status_[slot(role)].size.set(0);
  return position;
}

bool DataPath::running(wire::Role role) const noexcept {
  return handlers_[slot(role)] != nullptr;
}

std::size_t DataPath::rings_running() const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(handlers_, [](const auto& handler) { return handler != nullptr; }));
}

void DataPath::discard_again() noexcept {
  reclaimer_.gather_all(now_us());
}

void DataPath::set_memory(std::shared_ptr<const gmem::GuestMemory> memory,
                          const reclaim::LedgerRoom& room) {
  VB_CHECK(!any_running());
  counters_.guest_bytes.set(memory->bytes());
  memory_ = memory;
  reclaimer_.set_memory(std::move(memory), room);
  show_population();
}

void DataPath::set_features(wire::Features acked) noexcept {
  context_.page_poison = acked.has(wire::Feature::kPagePoison);
  context_.tells_host = acked.has(wire::Feature::kMustTellHost);
  reclaimer_.set_tells_host(context_.tells_host);
}

void DataPath::empty_balloon() {
  reclaimer_.empty();
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
  // Release: whoever sees this sees the request; acquire is in watch().
  attention_.fetch_add(1, std::memory_order_release);
}

void DataPath::prefault(bool on) noexcept {
  reclaimer_.prefault(on);
}

void DataPath::inhibit(bool on) noexcept {
  reclaimer_.inhibit(on);
  attention_.fetch_add(1, std::memory_order_release);
}

}  // namespace vballoon::datapath
