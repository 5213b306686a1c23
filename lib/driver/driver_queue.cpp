// SPDX-License-Identifier: BSD-3-Clause
#include "driver/driver_queue.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "base/check.hpp"
#include "driver/split_ring.hpp"

namespace vballoon::driver {
namespace {

wire::Descriptor describe(const Segment& segment) noexcept {
  const std::uint16_t flags = segment.device_writes ? wire::kDescWrite : 0;
  return {.addr = segment.addr.value, .len = segment.len, .flags = flags};
}

/// How often a spinning wait looks before it lets others run.
constexpr unsigned kSpinsBeforeYield = 2000;

}  // namespace

DriverQueue::DriverQueue(const QueueShape& shape) : chains_(shape.size), shape_(shape) {}
DriverQueue::~DriverQueue() = default;
DriverQueue::DriverQueue(DriverQueue&&) noexcept = default;
DriverQueue& DriverQueue::operator=(DriverQueue&&) noexcept = default;

Result<DriverQueue> DriverQueue::create(const GuestRam& ram, Arena& arena,
                                        const QueueShape& shape) {
  DriverQueue queue(shape);
  if (auto taken = queue.take_ring(ram, arena); !taken) return tl::unexpected(taken.error());
  if (auto taken = queue.take_tables(ram, arena); !taken) return tl::unexpected(taken.error());
  queue.kick_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  queue.call_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!queue.kick_.valid() || !queue.call_.valid()) {
    return fail(Code::kHost, "no eventfd for a virtqueue: too many open files?");
  }
  return queue;
}

Result<void> DriverQueue::take_ring(const GuestRam& ram, Arena& arena) {
  if (shape_.packed) {
    auto ring = make_packed_ring(ram, arena, shape_);
    if (!ring) return tl::unexpected(ring.error());
    ring_ = *std::move(ring);
  } else {
    auto ring = SplitRing::create(ram, arena, shape_);
    if (!ring) return tl::unexpected(ring.error());
    split_ = ring->get();
    ring_ = *std::move(ring);
  }
  if (shape_.wait == WaitMode::kSpin) ring_->suppress_calls();
  return {};
}

Result<void> DriverQueue::take_tables(const GuestRam& ram, Arena& arena) {
  const std::size_t bytes = wire::descriptor_table_bytes(shape_.indirect_entries) * size();
  // Not zeroed, and so not there before it is used: 64 KiB for a queue of reports.
  return arena.take(bytes, 16).map([this, &ram, bytes](Gpa gpa) {
    tables_ = ram.at(gpa, bytes).data();
    tables_gpa_ = gpa;
  });
}

std::optional<std::uint16_t> DriverQueue::add(std::span<const Segment> segments,
                                              std::uint64_t cookie) {
  VB_CHECK(!segments.empty());
  const bool indirect = segments.size() <= shape_.indirect_entries;
  if (ring_->free_descriptors() < (indirect ? 1 : segments.size())) return std::nullopt;
  elements_.clear();
  for (const Segment& segment : segments) elements_.push_back(describe(segment));
  if (indirect) elements_ = {write_table(elements_)};
  const std::uint16_t id = ring_->next_id();
  ring_->add(elements_);
  note(id, cookie);
  return id;
}

/// Into the table of the id that comes next. @return the descriptor that names it.
wire::Descriptor DriverQueue::write_table(std::span<const wire::Descriptor> elements) const {
  const std::size_t offset =
      wire::descriptor_table_bytes(shape_.indirect_entries) * ring_->next_id();
  ring_->fill_table(tables_ + offset, elements);
  return {.addr = tables_gpa_.value + offset,
          .len = static_cast<std::uint32_t>(elements.size_bytes()),
          .flags = wire::kDescIndirect};
}

void DriverQueue::note(std::uint16_t id, std::uint64_t cookie) {
  if (id < size()) chains_[id] = {.cookie = cookie, .out = true};
  if (shape_.in_order) order_.push_back(id);
  added_.push_back(id);
}

std::optional<std::uint16_t> DriverQueue::add_described(
    std::span<const wire::Descriptor> elements) {
  if (ring_->free_descriptors() < elements.size()) return std::nullopt;
  const std::uint16_t id = ring_->next_id();
  ring_->add(elements);
  note(id, 0);
  return id;
}

void DriverQueue::add_broken() {
  ring_->add_broken();
}

std::optional<std::uint16_t> DriverQueue::reserve() {
  VB_CHECK(split_ != nullptr);
  if (split_->free_descriptors() == 0) return std::nullopt;
  return split_->take_free();
}

void DriverQueue::add_raw(std::uint16_t head) {
  VB_CHECK(split_ != nullptr);
  split_->add_raw(head);
  note(head, 0);
}

const virtq::SplitAreas& DriverQueue::areas() const noexcept {
  VB_CHECK(split_ != nullptr);
  return split_->areas();
}

std::uint16_t DriverQueue::avail_index() const noexcept {
  VB_CHECK(split_ != nullptr);
  return split_->avail_index();
}

RingPlace DriverQueue::place() const noexcept {
  return ring_->place();
}

bool DriverQueue::may_stand_at(std::uint16_t position) const noexcept {
  return ring_->may_stand_at(position);
}

std::uint16_t DriverQueue::used_position() const noexcept {
  return ring_->used_position();
}

std::uint16_t DriverQueue::avail_position() const noexcept {
  return ring_->avail_position();
}

std::size_t DriverQueue::free_descriptors() const noexcept {
  return ring_->free_descriptors();
}

void DriverQueue::publish() {
  const Clock::time_point now = Clock::now();
  for (const std::uint16_t id : added_) {
    if (id >= size()) continue;
    chains_[id].published = now;
    ++outstanding_;
  }
  added_.clear();
  ring_->publish();
  if (ring_->wants_kick()) ::eventfd_write(kick_.get(), 1);
}

std::optional<Used> DriverQueue::poll() {
  while (const auto element = ring_->take_used(outstanding_, &violations_)) {
    if (auto used = take_back(*element)) return used;
  }
  return std::nullopt;
}

std::optional<Used> DriverQueue::take_back(const wire::UsedElement& element) {
  if (element.id >= size()) {
    ++violations_.unknown_id;
    return std::nullopt;
  }
  const auto id = static_cast<std::uint16_t>(element.id);
  if (!chains_[id].out) {
    ++violations_.not_outstanding;
    return std::nullopt;
  }
  const Used used{.head = id,
                  .written = element.len,
                  .cookie = chains_[id].cookie,
                  .latency = Clock::now() - chains_[id].published};
  check_order(id);
  ring_->release(id);
  chains_[id] = {};
  --outstanding_;
  return used;
}

/// 2.7.9, 2.8.8. A device may leave out all but the last of several; ours does not.
void DriverQueue::check_order(std::uint16_t id) {
  if (!shape_.in_order) return;
  if (order_.front() != id) ++violations_.out_of_order;
  std::erase(order_, id);
}

std::optional<Used> DriverQueue::wait(Deadline deadline) {
  uncalled_ = false;
  if (auto used = poll()) return used;
  return shape_.wait == WaitMode::kSpin ? spin(deadline) : sleep(deadline);
}

std::optional<Used> DriverQueue::spin(Deadline deadline) {
  for (unsigned spins = 1;; ++spins) {
    if (auto used = poll()) return used;
    __builtin_ia32_pause();
    if (spins % kSpinsBeforeYield != 0) continue;
    if (deadline.passed()) return std::nullopt;
    ::sched_yield();
  }
}

bool DriverQueue::called(Deadline deadline) const noexcept {
  pollfd call{call_.get(), POLLIN, 0};
  if (::poll(&call, 1, deadline.remaining_ms()) <= 0) return false;
  eventfd_t count = 0;
  return ::eventfd_read(call_.get(), &count) == 0;
}

std::optional<Used> DriverQueue::sleep(Deadline deadline) {
  while (called(deadline)) {
    if (auto used = poll()) return used;
  }
  return late_call(poll());
}

std::optional<Used> DriverQueue::late_call(std::optional<Used> used) {
  uncalled_ = used && !called(Deadline(shape_.call_grace));
  if (uncalled_) ++violations_.missing_call;
  return used;
}

void DriverQueue::excuse_missing_call() noexcept {
  if (!std::exchange(uncalled_, false)) return;
  --violations_.missing_call;
  call_owed_ = true;
}

void DriverQueue::expect_owed_call(Deadline deadline) noexcept {
  if (!std::exchange(call_owed_, false)) return;
  uncalled_ = !called(deadline);
  if (uncalled_) ++violations_.missing_call;
}

}  // namespace vballoon::driver
