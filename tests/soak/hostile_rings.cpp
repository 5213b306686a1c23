// SPDX-License-Identifier: BSD-3-Clause
//
// tests/soak/hostile_rings.cpp - what no guest may do to its rings and buffers.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "hostile.hpp"

namespace vballoon::soak {
namespace {

using driver::DriverQueue;
using wire::Descriptor;

constexpr std::uint16_t kAnyFlags = wire::kDescNext | wire::kDescWrite | wire::kDescIndirect;

}  // namespace

DriverQueue& Hostile::any_queue() {
  return driver_->queue(some_role());
}

/// As it is; the queue may then be broken, or the buffer come back.
void Hostile::send_described(const Descriptors& chain) {
  DriverQueue& queue = any_queue();
  static_cast<void>(queue.add_described(chain));
  queue.publish();
}

/// Split: a head beyond the table. Packed: a chain into what is not available.
void Hostile::bad_head() {
  DriverQueue& queue = any_queue();
  if (queue.free_descriptors() == 0) return heal();
  queue.add_broken();
  queue.publish();
  heal();
}

void Hostile::index_jump() {
  DriverQueue& queue = any_queue();
  if (queue.packed()) {
    // As if much more were available, and some of it used.
    const auto bytes = std::span(queue.place().descriptors, sizeof(Descriptor) * queue.size());
    for (std::size_t at = sizeof(Descriptor) - 2; at < bytes.size(); at += sizeof(Descriptor)) {
      const auto flags = static_cast<std::uint16_t>(random_());
      std::memcpy(&bytes[at], &flags, sizeof(flags));
    }
  } else {
    const auto far = static_cast<std::uint16_t>(queue.avail_index() + any64());
    std::memcpy(queue.areas().avail + 2, &far, sizeof(far));
  }
  heal();
}

/// Of links in the table, or in an indirect one.
void Hostile::loop() {
  DriverQueue& queue = any_queue();
  const Gpa table = some_gpa(64);
  const Descriptor knot{table.value, 4, wire::kDescNext, 0};
  if (queue.packed() || chance(50)) {
    std::memcpy(ram_->at(table, sizeof(knot)).data(), &knot, sizeof(knot));
    send_described({{table.value, 16 * (1 + below(4)), wire::kDescIndirect, 0}});
    return heal();
  }
  const auto id = queue.reserve();
  if (!id) return heal();
  const Descriptor self{table.value, 4, wire::kDescNext,
                        chance(50) ? *id : static_cast<std::uint16_t>(any64())};
  std::memcpy(queue.areas().descriptors + sizeof(self) * *id, &self, sizeof(self));
  queue.add_raw(*id);
  queue.publish();
  heal();
}

void Hostile::odd_chain() {
  Descriptors chain(1 + below(6));
  for (Descriptor& one : chain) {
    one = {.addr = chance(50) ? some_gpa(kPageSize).value : any64(),
           .len = any32(),
           .flags = static_cast<std::uint16_t>(random_() & kAnyFlags)};
  }
  send_described(chain);
  heal();
}

/// Tables in tables, of odd lengths, full of anything.
void Hostile::odd_table() {
  const Gpa at = some_gpa(1024);
  const auto bytes = ram_->at(at, 1024);
  if (bytes.empty()) return;
  scribble(bytes);
  for (unsigned i = 0; i < 64 && chance(90); ++i) {
    const Descriptor entry{.addr = chance(60) ? some_gpa(16).value : any64(),
                           .len = chance(60) ? below(8192) : any32(),
                           .flags = static_cast<std::uint16_t>(random_() & kAnyFlags),
                           .next = static_cast<std::uint16_t>(i + 1)};
    std::memcpy(&bytes[sizeof(entry) * i], &entry, sizeof(entry));
  }
  const std::uint32_t length = chance(70) ? 16 * (1 + below(64)) : any32();
  send_described({{at.value, length, wire::kDescIndirect, 0}});
  heal();
}

/// Where one region ends and another, or nothing, begins.
void Hostile::table_across_regions() {
  const auto table = ram_->table();
  const auto& region = table[below(static_cast<unsigned>(table.size()))];
  const std::uint64_t end = region.guest_address + region.size;
  const std::uint64_t before = 8 * (1 + below(64));
  const std::uint16_t flags = chance(60) ? wire::kDescIndirect : std::uint16_t{0};
  send_described({{end - before, 16 * (1 + below(64)), flags, 0}});
  heal();
}

/// Outside, in holes, twice, in the rings, in the balloon or not.
void Hostile::odd_pfns() {
  std::vector<std::uint32_t> numbers;
  for (unsigned i = 1 + below(512); i > 0; --i) {
    numbers.push_back(chance(50) ? any32() : pages_[below(32)].value);
  }
  const auto bytes = static_cast<std::uint32_t>(numbers.size() * 4);
  const Gpa at = to_gpa(pages_.back());
  std::memcpy(ram_->page(pages_.back()).data(), numbers.data(), bytes);
  send_described({{at.value, bytes - below(4), 0, 0}});
  heal();
}

void Hostile::balloon_own_rings() {
  const GpaRange corner = driver_->arena().range();
  std::vector<std::uint32_t> own;
  for (std::uint64_t at = 0; at < corner.bytes; at += kPageSize) {
    own.push_back(static_cast<std::uint32_t>(bytes_to_pages(corner.first.value + at)));
  }
  own.resize(std::min<std::size_t>(own.size(), kPageSize / 4));
  std::memcpy(ram_->page(pages_.back()).data(), own.data(), own.size() * 4);
  send_described({{to_gpa(pages_.back()).value, static_cast<std::uint32_t>(own.size() * 4), 0, 0}});
  heal();
}

void Hostile::overwrite_used() {
  DriverQueue& queue = any_queue();
  scribble({queue.place().device, queue.packed() ? 4U : wire::used_ring_bytes(queue.size())});
  send_described({{some_gpa(64).value, 64, 0, 0}});
  heal();
}

/// Rings, tables and buffers are written to while the device reads them.
void Hostile::change_while_read() {
  DriverQueue& queue = any_queue();
  const auto ring = std::span(queue.place().descriptors, sizeof(Descriptor) * queue.size());
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(below(1000));
  while (std::chrono::steady_clock::now() < end) {
    for (unsigned i = 0; i < 64; ++i) {
      ring[below(static_cast<unsigned>(ring.size()))] = static_cast<std::byte>(random_());
    }
    if (queue.free_descriptors() != 0) {
      send_described({{some_gpa(kPageSize).value, below(kPageSize), 0, 0}});
    }
  }
  heal();
}

/// The longest ring there is, all of it available at once.
void Hostile::many_heads() {
  driver::DriverOptions options = some_options();
  options.queue_size = 32768;
  options.arena_bytes = 8 * kMiB;
  options.indirect = driver::Indirect::kNever;
  if (!start(driver::flat_ram(16 * kMiB), options)) return;
  DriverQueue& queue = any_queue();
  const Gpa at = some_gpa(1024);
  const std::vector<Descriptor> one{{at.value, chance(50) ? 1024U : 0U, 0, 0}};
  while (queue.add_described(one)) continue;
  queue.publish();
  nap(20'000);
  heal();
}

void Hostile::huge_lengths() {
  static constexpr std::array<std::uint32_t, 5> kLengths{0xFFFFFFFF, 0xFFFFF000, 0x80000000,
                                                         0x7FFFFFFF, 0xFFFFFFF0};
  Descriptors chain(1 + below(4));
  for (Descriptor& one : chain) {
    one = {.addr = chance(50) ? 0 : some_gpa(16).value,
           .len = kLengths[below(kLengths.size())],
           .flags = chance(50) ? wire::kDescWrite : std::uint16_t{0}};
  }
  send_described(chain);
  heal();
}

}  // namespace vballoon::soak
