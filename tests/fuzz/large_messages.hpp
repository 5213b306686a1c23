// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/large_messages.hpp - messages of device 13 out of a fuzzer's bytes: near to what a
//                                 driver sends, and wrong in one way or another.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <vector>

#include "driver/driver_queue.hpp"
#include "fuzz_guest.hpp"
#include "fuzz_input.hpp"
#include "large_model.hpp"
#include "reclaim/limits.hpp"
#include "wire/features.hpp"
#include "wire/large_balloon.hpp"

namespace vballoon::fuzz {

using wire::large::Feature;
using wire::large::MessageType;

inline constexpr std::uint32_t kMaxPages = 64;
inline constexpr unsigned kSmall = 12;
inline constexpr unsigned kLarge = 21;

/// How one input has it all set up.
struct Mode {
  bool packed, honest, later, waits, sizes, release;
  unsigned ring_size;

  static Mode from(Input& input) {
    const unsigned bits = input.byte();
    const unsigned size = 4 + input.byte() % 61U;
    const bool packed = (bits & 1) != 0;
    return {packed,
            (bits & 2) != 0,
            (bits & 4) != 0,
            (bits & 8) != 0,
            (bits & 16) == 0,
            (bits & 32) == 0,
            packed ? size : std::bit_floor(size)};
  }
  [[nodiscard]] reclaim::ReclaimLimits limits() const {
    reclaim::ReclaimLimits limits{.ages = {.longest_us = 0, .long_runs_us = 0}};
    if (waits) {
      limits.ages = {.longest_us = UINT32_MAX, .long_runs_us = UINT32_MAX};
      limits.window_pages = 64;
    }
    limits.sizes = {.shifts = {kSmall, kLarge}, .count = 2};
    return limits;
  }
  [[nodiscard]] wire::Features features() const {
    std::uint64_t bits = wire::large::bit(Feature::kState) | wire::large::bit(Feature::kPressure);
    if (sizes) bits |= wire::large::bit(Feature::kSizes);
    if (release) bits |= wire::large::bit(Feature::kRelease);
    return wire::Features(bits).with(wire::Feature::kVersion1);
  }
};

inline constexpr wire::large::Config kConfig{.page_shift = kSmall,
                                             .node = wire::large::kAnyNode,
                                             .max_pages = kMaxPages,
                                             .size_mask = 1U | 1U << (kLarge - kSmall)};

/// One message that is out.
struct Message {
  MessageType type = MessageType::kPages;
  unsigned shift = kSmall;
  bool offered = true;           // its size
  bool valid = true;             // it is one that has an effect
  std::vector<LargePage> pages;  // as sent, up to what the device may look at
  std::uint64_t room = 0;        // addresses that the device may write
  Gpa answer;
};

/// A size, now and then one that is not offered.
inline unsigned some_shift(Input& input) {
  const unsigned choice = input.byte();
  if (choice % 16 == 15) return choice;
  return choice % 2 == 0 ? kSmall : kLarge;
}
/// In RAM mostly; else in the hole, in the rings, unaligned, or any number.
inline std::uint64_t some_address(Input& input, unsigned shift) {
  const unsigned choice = input.byte();
  const std::uint64_t where = input.word();
  if (choice % 16 == 15) return where << (choice % 48U) | where;
  if (choice % 16 == 14) return (where % 4096) * kPageSize;  // rings and all
  const std::uint64_t address =
      gpa_of_page(static_cast<std::uint32_t>(where % PageModel::kPages)).value;
  return shift == kLarge ? address & ~((std::uint64_t{1} << kLarge) - 1) : address;
}

struct Built {
  std::vector<std::byte> bytes;
  Message message;
};
/// @param addresses  so many of them behind the header.
inline Built build(const Mode& mode, Input& input, MessageType type, unsigned addresses) {
  const unsigned named = some_shift(input);
  Built built;
  built.message.type = type;
  built.message.shift = named == 0 ? kSmall : named;
  built.message.offered = wire::large::offers_size(kConfig, mode.sizes, built.message.shift);
  const wire::large::Header header{
      .type = type, .shift = static_cast<std::uint8_t>(named), .serial = input.byte()};
  std::vector<std::uint64_t> list;
  std::uint64_t next = 0;
  while (list.size() < addresses) {
    // Runs of neighbours are what a guest has, and what is merged.
    const bool follows = !list.empty() && list.size() % 8 != 0;
    next = follows ? next + (std::uint64_t{1} << (built.message.shift % 48))
                   : some_address(input, built.message.shift);
    list.push_back(next);
  }
  const auto head = std::as_bytes(std::span(&header, 1));
  const auto body = std::as_bytes(std::span(list));
  built.bytes.assign(head.begin(), head.end());
  built.bytes.insert(built.bytes.end(), body.begin(), body.end());
  built.bytes.resize(built.bytes.size() + input.byte() % 8U);  // no whole field (DEV-16)
  if (!built.message.offered) return built;
  list.resize(std::min<std::size_t>(list.size(), kMaxPages));
  for (const std::uint64_t at : list) built.message.pages.push_back({Gpa{at}, built.message.shift});
  return built;
}

/// In place of some addresses, pages that are in the balloon.
inline void name_ballooned(Input& input, const driver::LargePageSet& balloon, Built* built) {
  const auto inside = balloon.pages(built->message.shift);
  if (inside.empty()) return;
  const std::size_t first = input.word() % inside.size();
  for (std::size_t i = 0; i < built->message.pages.size() && first + i < inside.size(); i += 2) {
    built->message.pages[i].at = inside[first + i];
    std::memcpy(built->bytes.data() + sizeof(wire::large::Header) + 8 * i, &inside[first + i], 8);
  }
}

/// A piece of memory as so many descriptors more than one.
inline void cut(Gpa at, std::uint32_t bytes, unsigned cuts, bool writable,
                std::vector<driver::Segment>* out) {
  for (; cuts != 0 && bytes > 1; --cuts) {
    const std::uint32_t part = 1 + bytes / 3;
    out->push_back({at, part, writable});
    at.value += part;
    bytes -= part;
  }
  if (bytes != 0) out->push_back({at, bytes, writable});
}

inline std::uint64_t word_at(Gpa at, std::uint64_t offset) {
  std::uint64_t word = 0;
  std::memcpy(&word, ram().at(Gpa{at.value + offset}, sizeof(word)).data(), sizeof(word));
  return word;
}

}  // namespace vballoon::fuzz
