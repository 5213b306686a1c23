// SPDX-License-Identifier: BSD-3-Clause
#include "driver/driver_queue.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "base/check.hpp"

namespace vballoon::driver {
namespace {

using std::chrono::milliseconds;

/// A field in guest memory. No alignment warning: the arena aligned it.
template <typename T>
T* field(std::byte* bytes, std::size_t offset) noexcept {
  return static_cast<T*>(static_cast<void*>(bytes + offset));
}

Result<Gpa> take_zeroed(const GuestRam& ram, Arena& arena, std::size_t bytes, std::size_t align) {
  return arena.take(bytes, align).map([&ram, bytes](Gpa gpa) {
    std::memset(ram.at(gpa, bytes).data(), 0, bytes);
    return gpa;
  });
}

std::uint16_t flags_of(const Segment& segment) noexcept {
  return segment.device_writes ? virtq::kDescWrite : 0;
}

/// How often a spinning wait looks before it lets others run.
constexpr unsigned kSpinsBeforeYield = 2000;
/// A call comes a little behind the used index; only after this long is it missing.
constexpr milliseconds kCallGrace{250};

}  // namespace

DriverQueue::DriverQueue(const QueueShape& shape)
    : chains_(shape.size), next_(shape.size), shape_(shape) {
  areas_.size = shape.size;
  free_.reserve(shape.size);
  for (unsigned i = shape.size; i-- > 0;) free_.push_back(static_cast<std::uint16_t>(i));
}

Result<DriverQueue> DriverQueue::create(const GuestRam& ram, Arena& arena,
                                        const QueueShape& shape) {
  if (!std::has_single_bit(shape.size) || shape.size < 2 || shape.size > virtq::kMaxQueueSize) {
    return fail(Code::kInvalidArgument,
                fmt::format("queue size {} is not a power of two in [2, {}]", shape.size,
                            virtq::kMaxQueueSize));
  }
  DriverQueue queue(shape);
  if (auto taken = queue.take_memory(ram, arena); !taken) return tl::unexpected(taken.error());
  queue.kick_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  queue.call_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!queue.kick_.valid() || !queue.call_.valid()) {
    return fail(Code::kHost, "no eventfd for a virtqueue: too many open files?");
  }
  return queue;
}

Result<void> DriverQueue::take_memory(const GuestRam& ram, Arena& arena) {
  const unsigned n = shape_.size;
  const std::size_t table_bytes = virtq::descriptor_table_bytes(shape_.indirect_entries) * n;
  // VIRTIO 1.2, 2.7: alignments of the three areas.
  const auto descriptors = take_zeroed(ram, arena, virtq::descriptor_table_bytes(n), 16);
  const auto avail = take_zeroed(ram, arena, virtq::avail_ring_bytes(n), 2);
  const auto used = take_zeroed(ram, arena, virtq::used_ring_bytes(n), 4);
  // Not zeroed, and so not there before it is used: 64 KiB for a queue of reports.
  const auto tables = arena.take(table_bytes, 16);
  for (const auto* taken : {&descriptors, &avail, &used, &tables}) {
    if (!*taken) return tl::unexpected(taken->error());
  }
  areas_.descriptors = ram.at(*descriptors, virtq::descriptor_table_bytes(n)).data();
  areas_.avail = ram.at(*avail, virtq::avail_ring_bytes(n)).data();
  areas_.used = ram.at(*used, virtq::used_ring_bytes(n)).data();
  tables_ = ram.at(*tables, table_bytes).data();
  tables_gpa_ = *tables;
  if (shape_.wait == WaitMode::kSpin) {
    field<virtq::AvailHeader>(areas_.avail, 0)->flags = virtq::kAvailNoInterrupt;
  }
  return {};
}

virtq::Descriptor* DriverQueue::table_of(std::uint16_t head) const noexcept {
  return field<virtq::Descriptor>(tables_,
                                  virtq::descriptor_table_bytes(shape_.indirect_entries) * head);
}

std::optional<std::uint16_t> DriverQueue::add(std::span<const Segment> segments,
                                              std::uint64_t cookie) {
  VB_CHECK(!segments.empty());
  const bool indirect = segments.size() <= shape_.indirect_entries;
  const std::size_t wanted = indirect ? 1 : segments.size();
  if (free_.size() < wanted) return std::nullopt;
  const std::uint16_t head = indirect ? add_indirect(segments) : add_direct(segments);
  enqueue(head, {.cookie = cookie, .descriptors = static_cast<std::uint16_t>(wanted)});
  return head;
}

std::uint16_t DriverQueue::add_direct(std::span<const Segment> segments) {
  const std::uint16_t head = free_.back();
  auto* const table = field<virtq::Descriptor>(areas_.descriptors, 0);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::uint16_t at = free_.back();
    free_.pop_back();
    const bool last = i + 1 == segments.size();
    next_[at] = last ? std::uint16_t{0} : free_.back();
    table[at] = {
        .addr = segments[i].addr.value,
        .len = segments[i].len,
        .flags = static_cast<std::uint16_t>(flags_of(segments[i]) | (last ? 0 : virtq::kDescNext)),
        .next = next_[at]};
  }
  return head;
}

std::uint16_t DriverQueue::add_indirect(std::span<const Segment> segments) {
  const std::uint16_t head = free_.back();
  free_.pop_back();
  virtq::Descriptor* const table = table_of(head);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool last = i + 1 == segments.size();
    table[i] = {
        .addr = segments[i].addr.value,
        .len = segments[i].len,
        .flags = static_cast<std::uint16_t>(flags_of(segments[i]) | (last ? 0 : virtq::kDescNext)),
        .next = static_cast<std::uint16_t>(last ? 0 : i + 1)};
  }
  const std::size_t offset = virtq::descriptor_table_bytes(shape_.indirect_entries) * head;
  const std::size_t bytes = virtq::descriptor_table_bytes(static_cast<unsigned>(segments.size()));
  field<virtq::Descriptor>(areas_.descriptors, 0)[head] = {.addr = tables_gpa_.value + offset,
                                                           .len = static_cast<std::uint32_t>(bytes),
                                                           .flags = virtq::kDescIndirect,
                                                           .next = 0};
  return head;
}

void DriverQueue::enqueue(std::uint16_t head, const Chain& chain) {
  if (head < size()) chains_[head] = chain;
  const std::size_t slot = static_cast<std::uint16_t>(avail_index_ + added_.size()) & (size() - 1);
  auto* const ring = field<std::uint16_t>(areas_.avail, sizeof(virtq::AvailHeader));
  ring[slot] = head;
  added_.push_back(head);
}

std::optional<std::uint16_t> DriverQueue::reserve() {
  if (free_.empty()) return std::nullopt;
  const std::uint16_t descriptor = free_.back();
  free_.pop_back();
  return descriptor;
}

void DriverQueue::add_raw(std::uint16_t head) {
  enqueue(head, {.descriptors = 1, .raw = true});
}

void DriverQueue::publish() {
  const Clock::time_point now = Clock::now();
  for (const std::uint16_t head : added_) {
    if (head >= size()) continue;
    chains_[head].published = now;
    ++outstanding_;
  }
  avail_index_ = static_cast<std::uint16_t>(avail_index_ + added_.size());
  added_.clear();
  auto* const avail = field<virtq::AvailHeader>(areas_.avail, 0);
  // Release: the device's acquire load of this index brings descriptors and ring entries along.
  std::atomic_ref(avail->idx).store(avail_index_, std::memory_order_release);
  // The index must be out before the flag is read (2.7.13.4.1): else both sides may sleep.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  auto* const used = field<virtq::UsedHeader>(areas_.used, 0);
  if ((std::atomic_ref(used->flags).load(std::memory_order_relaxed) & virtq::kUsedNoNotify) != 0) {
    return;
  }
  ::eventfd_write(kick_.get(), 1);
}

std::optional<Used> DriverQueue::poll() {
  auto* const header = field<virtq::UsedHeader>(areas_.used, 0);
  for (;;) {
    // Acquire: pairs with the device's release store; its used elements are visible behind it.
    const std::uint16_t index = std::atomic_ref(header->idx).load(std::memory_order_acquire);
    const auto ahead = static_cast<std::uint16_t>(index - last_used_);
    if (ahead == 0) return std::nullopt;
    if (ahead > outstanding_) {
      ++violations_.index_jump;
      if (outstanding_ == 0) {
        last_used_ = index;
        return std::nullopt;
      }
    }
    const std::size_t slot = last_used_ & (size() - 1);
    const auto* const ring = field<virtq::UsedElement>(areas_.used, sizeof(virtq::UsedHeader));
    const virtq::UsedElement element = ring[slot];
    ++last_used_;
    if (auto used = take_back(element)) return used;
  }
}

std::optional<Used> DriverQueue::take_back(const virtq::UsedElement& element) {
  if (element.id >= size()) {
    ++violations_.unknown_id;
    return std::nullopt;
  }
  const auto head = static_cast<std::uint16_t>(element.id);
  if (chains_[head].descriptors == 0) {
    ++violations_.not_outstanding;
    return std::nullopt;
  }
  const Used used{.head = head,
                  .written = element.len,
                  .cookie = chains_[head].cookie,
                  .latency = Clock::now() - chains_[head].published};
  release(head);
  return used;
}

void DriverQueue::release(std::uint16_t head) {
  Chain& chain = chains_[head];
  std::uint16_t at = head;
  // A raw head was never taken from the free ones.
  for (unsigned i = 0; i < chain.descriptors && !chain.raw; ++i, at = next_[at])
    free_.push_back(at);
  chain = {};
  --outstanding_;
}

std::optional<Used> DriverQueue::wait(Deadline deadline) {
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
  if (used && !called(Deadline(kCallGrace))) ++violations_.missing_call;
  return used;
}

}  // namespace vballoon::driver
