// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/data_path.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/clock.hpp"

namespace vballoon::datapath {
namespace {

std::size_t slot(wire::Role role) noexcept {
  return static_cast<std::size_t>(role);
}

/// Of a role of device 13, which of its rings it is.
std::optional<std::size_t> large_ring(wire::Role role) noexcept {
  if (role == wire::Role::kFromDevice) return wire::large::kFromDeviceQueue;
  if (role == wire::Role::kToDevice) return wire::large::kToDeviceQueue;
  return std::nullopt;
}

}  // namespace

DataPath::DataPath(const datapath::ConfigSpace& config, reclaim::ReclaimLimits limits)
    : reclaimer_(limits, owner_), context_{reclaimer_, counters_, config, reporting_, leaving_} {
  set_features({});
}

bool DataPath::poll() noexcept {
  VB_OWNED(owner_);
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
  VB_OWNED(owner_);
  // There are more roles than rings: no device has all of them.
  auto next = out.begin();
  queues_.for_each([&next](const auto& queue) { *next++ = queue.watch(); });
  std::fill(next, out.end(), nothing_to_watch());
  static_assert(sizeof(attention_) == sizeof(std::uint16_t));
  out.back() = Watch{reinterpret_cast<const std::uint16_t*>(&attention_),
                     attention_.load(std::memory_order_acquire)};
}

std::uint64_t DataPath::look_again_us() const noexcept {
  VB_OWNED(owner_);
  if (holds_any() || has_work()) return 0;
  return reclaimer_.busy_from_us(context_.now_us);
}

bool DataPath::has_work() const noexcept {
  bool any = false;
  queues_.for_each([&any](const auto& queue) { any = any || queue.has_work(); });
  return any;
}

bool DataPath::quiesce() noexcept {
  VB_OWNED(owner_);
  context_.now_us = now_us();
  static_cast<void>(move_on());
  show_population();
  // Reports of a chain that a pass began and did not finish are held by no buffer.
  return reclaimer_.settled() && !holds_any();
}

bool DataPath::serve() noexcept {
  bool served = false;
  lone_ = true;
  queues_.for_each([&]<typename Queue>(Queue& queue) {
    if (!queue.has_work()) return;
    queue.serve();
    served = true;
    lone_ &= Queue::kComesAlone;
  });
  return served;
}

/// Moves discards on, and the buffers that waited for them. @return whether anything moved.
bool DataPath::move_on() noexcept {
  const bool moving = reclaimer_.in_flight() || holds_any();
  const reclaim::Fence before = reclaimer_.handover().handed_over();
  const auto& inflate = queues_.inflate;
  reclaimer_.pump(context_.now_us, inflate != nullptr && inflate->held().unsealed());
  seal_held();
  queues_.for_each_holding([](auto& queue) { queue.let_go(); });
  if (queues_.to_device != nullptr) queues_.to_device->let_go();
  publish_all();
  return moving || !(before == reclaimer_.handover().handed_over());
}

/// Gives held buffers their fence, where what they wait for is handed over now.
void DataPath::seal_held() noexcept {
  const reclaim::Fence fence = reclaimer_.handover().handed_over();
  const auto seal = [fence](auto& queue, bool handed_over) {
    if (handed_over && queue != nullptr) queue->seal(fence);
  };
  seal(queues_.inflate, reclaimer_.drained());
  // Reports do not wait for the window, nor it for them: they come by the second, it gathers.
  seal(queues_.report, reclaimer_.reports_handed_over());
  seal(queues_.deflate, reclaimer_.prefaults().handed_over());
}

bool DataPath::holds_any() const noexcept {
  bool any = queues_.to_device != nullptr && queues_.to_device->waits();
  queues_.for_each_holding([&any](const auto& queue) { any = any || !queue.held().empty(); });
  return any;
}

/// A sink of its own: one that others share might be in use by a thread that does not come back.
void DataPath::discard_by_itself(reclaim::Discarder& discarder) {
  own_sink_ = std::make_unique<reclaim::InlineSink>(discarder);
  set_sink(*own_sink_);
}

void DataPath::discard_gathered(reclaim::BatchSink& sink) noexcept {
  VB_OWNED(owner_);
  reclaimer_.handover().set_sink(sink);
  do {
    reclaimer_.pump(0, true);
  } while (!reclaimer_.drained());
}

void DataPath::publish_all() noexcept {
  queues_.for_each([this](auto& queue) {
    const virtq::Call::Sent sent = queue.ring().publish();
    if (sent == virtq::Call::Sent::kCalled) counters_.calls.add(1);
    if (sent == virtq::Call::Sent::kHeldUp) counters_.blocked_calls.add(1);
  });
}

void DataPath::show_population() noexcept {
  reclaimer_.gather().show();
  counters_.ballooned_pages.set(reclaimer_.gather().ballooned_pages());
  counters_.stranded_pages.set(reclaimer_.gather().stranded_pages());
}

void DataPath::open(wire::Role role, Ring ring, bool resumed) {
  switch (role) {
    case wire::Role::kInflate:
      queues_.inflate = std::make_unique<InflateQueue>(std::move(ring), context_);
      return;
    case wire::Role::kDeflate:
      queues_.deflate = std::make_unique<DeflateQueue>(std::move(ring), context_);
      return;
    case wire::Role::kStats:
      queues_.stats = std::make_unique<StatsQueue>(std::move(ring), context_, stats_, resumed);
      return;
    case wire::Role::kHint:
      queues_.hint = std::make_unique<HintQueue>(std::move(ring), context_, hints_, resumed);
      return;
    case wire::Role::kReport:
      queues_.report = std::make_unique<ReportQueue>(std::move(ring), context_);
      return;
    case wire::Role::kMessage:
      queues_.message = std::make_unique<MessageQueue>(std::move(ring), context_);
      return;
    case wire::Role::kFromDevice:
      queues_.from_device =
          std::make_unique<FromDeviceQueue>(std::move(ring), context_, requests_, stats_, resumed);
      return;
    case wire::Role::kToDevice:
      queues_.to_device =
          std::make_unique<ToDeviceQueue>(std::move(ring), context_, requests_, stats_, resumed);
      return;
  }
}

Result<void> DataPath::start(wire::Role role, const QueueSetup& setup) {
  VB_OWNED(owner_);
  VB_CHECK(memory_ != nullptr && !running(role) && rings_running() < wire::kQueues);
  auto queue = virtq::Queue::open(setup.areas, setup.position, *memory_);
  if (!queue) return tl::unexpected(queue.error());
  queue->belongs_to(owner_);
  queue->log_writes(setup.log, *memory_);
  queue->keep_mark(setup.marks);
  note_ring(role, setup.areas);
  if (role == wire::Role::kFromDevice) requests_.keep_serial_in(setup.serial);
  open(role, Ring(*queue, setup, memory_, status_[slot(role)]), setup.resumed);
  return {};
}

std::uint16_t DataPath::stop(wire::Role role) noexcept {
  VB_OWNED(owner_);
  const Ring* const ring = queues_.ring(role);
  VB_CHECK(ring != nullptr);
  // A buffer that a pass began and did not finish is taken again from its start. Pages that wait in
  // the window stay there: they are in the balloon until the driver is reset.
  const std::uint16_t position = ring->position();
  queues_.close(role);
  forget_ring(role);
  if (role == wire::Role::kFromDevice) requests_.keep_serial_in(nullptr);
  status_[slot(role)].size.set(0);
  return position;
}

void DataPath::note_ring(wire::Role role, const virtq::QueueAreas& areas) noexcept {
  const auto ring = large_ring(role);
  if (!ring) return;
  const auto ranges = virtq::ranges_of(areas, *memory_);
  std::copy(ranges.begin(), ranges.end(),
            context_.rings.begin() + static_cast<std::ptrdiff_t>(*ring * ranges.size()));
}

void DataPath::forget_ring(wire::Role role) noexcept {
  const auto ring = large_ring(role);
  if (!ring) return;
  std::fill_n(context_.rings.begin() + static_cast<std::ptrdiff_t>(*ring * 3), 3, GpaRange{});
}

bool DataPath::running(wire::Role role) const noexcept {
  return queues_.ring(role) != nullptr;
}

std::size_t DataPath::rings_running() const noexcept {
  std::size_t running = 0;
  queues_.for_each([&running](const auto&) { ++running; });
  return running;
}

void DataPath::keep_regions(std::uint32_t mask) noexcept {
  VB_OWNED(owner_);
  reclaimer_.keep_regions(mask);
}

void DataPath::set_sink(reclaim::BatchSink& sink) noexcept {
  VB_OWNED(owner_);
  reclaimer_.handover().set_sink(sink);
}

void DataPath::forget_stats() noexcept {
  VB_OWNED(owner_);
  stats_.forget();
}

void DataPath::discard_again() noexcept {
  VB_OWNED(owner_);
  reclaimer_.gather_all(now_us());
}

void DataPath::set_memory(std::shared_ptr<const gmem::GuestMemory> memory,
                          const reclaim::LedgerRoom& room) {
  VB_OWNED(owner_);
  VB_CHECK(!any_running());
  counters_.guest_bytes.set(memory->bytes());
  leaving_ = reclaim::Leaving(room.leaving);
  memory_ = memory;
  reclaimer_.set_memory(std::move(memory), room);
  show_population();
}

void DataPath::set_features(wire::Features acked) noexcept {
  VB_OWNED(owner_);
  const bool large = context_.config.large().has_value();
  context_.acked = acked.bits();
  context_.page_poison = !large && acked.has(wire::Feature::kPagePoison);
  // The driver of device 13 always asks before it uses a page again.
  context_.tells_host = large || acked.has(wire::Feature::kMustTellHost);
  reclaimer_.gather().set_tells_host(context_.tells_host);
}

void DataPath::empty_balloon() {
  VB_OWNED(owner_);
  reclaimer_.empty();
  show_population();
}

void DataPath::release() noexcept {
  VB_OWNED(owner_);
  VB_CHECK(!any_running());
  reclaimer_.release();
  leaving_ = {};
  requests_.state.store({});
  memory_.reset();
  forget_stats();
  counters_.guest_bytes.set(0);
  show_population();
}

void DataPath::request_stats() noexcept {
  stats_.ask();
  // Release: whoever sees this sees the request; acquire is in watch().
  attention_.fetch_add(1, std::memory_order_release);
}

void DataPath::tell_target() noexcept {
  // Release: whoever sees this sees the target; acquire is in FromDeviceQueue and in watch().
  requests_.targets.fetch_add(1, std::memory_order_release);
  attention_.fetch_add(1, std::memory_order_release);
}

void DataPath::prefault(bool on) noexcept {
  reclaimer_.prefaults().ask(on);
}

void DataPath::inhibit(bool on) noexcept {
  reclaimer_.gather().inhibit(on);
  attention_.fetch_add(1, std::memory_order_release);
}

}  // namespace vballoon::datapath
