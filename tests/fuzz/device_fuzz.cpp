// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/device_fuzz.cpp - a device and a driver that does anything, in any order: honest, and
//                              then every page is accounted for; or one that writes over its rings.
// Source: section 5 of the design, 1 to 5.
#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "machine.hpp"
#include "page_model.hpp"

namespace vballoon::fuzz {
namespace {

using driver::DriverQueue;
using wire::Role;

constexpr std::size_t kSlots = 16;  // buffers outstanding per queue
constexpr std::size_t kSlotBytes = 1024;

/// How one input has it all set up.
struct Mode {
  bool packed, honest, later, waits, messages;
  unsigned ring_size;

  static Mode from(Input& input) {
    const unsigned bits = input.byte();
    const unsigned size = 2 + input.byte() % 63U;
    const bool packed = (bits & 1) != 0;
    return {packed,          (bits & 2) != 0,  (bits & 4) != 0,
            (bits & 8) != 0, (bits & 16) != 0, packed ? size : std::bit_floor(size)};
  }
  [[nodiscard]] reclaim::ReclaimLimits limits() const {
    if (!waits) return {.ages = {.longest_us = 0, .long_runs_us = 0}};
    return {.ages = {.longest_us = UINT32_MAX, .long_runs_us = UINT32_MAX}, .window_pages = 64};
  }
};

class StockMachine final : public Machine {
 public:
  explicit StockMachine(Mode mode)
      : Machine({mode.packed, mode.honest, mode.later, mode.ring_size}, {}, mode.limits()),
        mode_(mode) {
    begin_anew(0);
  }

  void act(Input& input) {
    switch (input.byte() % 16) {
      case 0:
      case 1:
      case 2:
        return send_pages(input, Role::kInflate);
      case 3:
      case 4:
        return send_pages(input, Role::kDeflate);
      case 5:
        return mode_.messages ? send_words(input, Role::kMessage) : send_report(input);
      case 6:
        return send_words(input, mode_.messages ? Role::kMessage : Role::kHint);
      case 7:
        return send_words(input, Role::kStats);
      case 8:
        return write(input);
      case 9:
        return control(input);
      case 10:
        return restart(roles()[input.byte() % roles().size()]);
      case 11:
        return change_memory();
      case 12:
        return begin_anew(input.byte());
      case 13:
        return sink_.step();
      default:
        return poll();
    }
  }

  /// An honest driver gets every buffer back, and the ledger is what it thinks.
  void finish() {
    inhibit(false);
    settle();
    check_counts();
    if (!mode_.honest) return;
    for (const Role role : roles()) {
      VB_CHECK(of(role).out.size() <= (role == Role::kStats ? 1U : 0U));
      check_lawful(*of(role).queue);
    }
    VB_CHECK(path_.counters().ballooned_pages.get() == model_.ballooned());
  }

 private:
  static constexpr std::array kRolesInOrder{Role::kInflate, Role::kDeflate, Role::kStats,
                                            Role::kHint, Role::kReport};
  static constexpr std::array kWithMessages{Role::kInflate, Role::kDeflate, Role::kStats,
                                            Role::kMessage};
  /// A device has messages, or hints and reports.
  [[nodiscard]] std::span<const Role> roles() const {
    if (mode_.messages) return kWithMessages;
    return kRolesInOrder;
  }
  struct Side {
    std::unique_ptr<DriverQueue> queue;
    Gpa buffers;
    std::map<std::uint64_t, std::vector<std::uint32_t>> out;  // by slot: pages of the model
  };

  [[nodiscard]] Side& of(Role role) { return sides_[static_cast<std::size_t>(role)]; }

  bool discard(int /*fd*/, std::uint64_t offset, std::uint64_t bytes) noexcept override {
    check_discard(offset, bytes);
    if (!mode_.honest) return true;
    // The file has the first MiB of RAM, then the pages in their order.
    for (std::uint64_t at = offset; at < offset + bytes; at += kPageSize) {
      VB_CHECK(at >= kLow);
      model_.check_discard(static_cast<std::uint32_t>(bytes_to_pages(at - kLow)), tells_);
    }
    return true;
  }
  bool provide(int, std::uint64_t, std::uint64_t, std::byte*) noexcept override { return true; }

  std::optional<std::uint64_t> free_slot(Role role) {
    for (std::uint64_t slot = 0; slot < kSlots; ++slot) {
      if (!of(role).out.contains(slot)) return slot;
    }
    return std::nullopt;
  }

  /// Cut into up to three descriptors. @return whether there was room.
  bool send(Role role, std::uint64_t slot, std::uint32_t bytes, Input& input,
            std::vector<std::uint32_t> pages) {
    const Gpa at{of(role).buffers.value + slot * kSlotBytes};
    std::vector<driver::Segment> segments;
    std::uint32_t done = 0;
    for (unsigned cuts = input.byte() % 3U; cuts != 0; --cuts) {
      const std::uint32_t part = std::min<std::uint32_t>(input.byte(), bytes - done);
      segments.push_back({Gpa{at.value + done}, part, false});
      done += part;
    }
    segments.push_back({Gpa{at.value + done}, bytes - done, false});
    return publish(role, segments, slot, std::move(pages));
  }

  bool publish(Role role, const std::vector<driver::Segment>& segments, std::uint64_t slot,
               std::vector<std::uint32_t> pages) {
    // 2.7.5.3.1: no chain is longer than the ring.
    if (segments.size() > mode_.ring_size || !of(role).queue->add(segments, slot)) return false;
    of(role).queue->publish();
    of(role).out.emplace(slot, std::move(pages));
    return true;
  }

  void put(Role role, std::uint64_t slot, std::span<const std::byte> bytes) {
    const Gpa at{of(role).buffers.value + slot * kSlotBytes};
    std::copy(bytes.begin(), bytes.end(), ram().at(at, kSlotBytes).begin());
  }

  void send_pages(Input& input, Role role) {
    const auto slot = free_slot(role);
    const std::uint32_t first = input.word();
    const unsigned count = input.byte();
    if (!slot) return;
    const Owner from = role == Role::kInflate ? Owner::kGuest : Owner::kBalloon;
    const Owner to = role == Role::kInflate ? Owner::kInflating : Owner::kDeflating;
    auto pages = model_.take(from, to, first, count / 2, count % 2 != 0);
    std::vector<std::uint32_t> words;
    for (const std::uint32_t page : pages) {
      words.push_back(static_cast<std::uint32_t>(bytes_to_pages(gpa_of_page(page).value)));
    }
    // A number that is no memory: in the hole, or far beyond.
    const unsigned beyond = input.byte();
    if (beyond % 8 == 0) words.push_back(beyond == 0 ? 8192U : 1U << 20U | input.word());
    put(role, *slot, std::as_bytes(std::span(words)));
    const auto bytes = static_cast<std::uint32_t>(words.size() * 4 + input.byte() % 2U);
    if (!send(role, *slot, bytes, input, pages)) model_.give(pages, from);
  }

  void send_report(Input& input) {
    const auto slot = free_slot(Role::kReport);
    std::vector<driver::Segment> segments;
    std::vector<std::uint32_t> pages;
    for (unsigned ranges = 1 + input.byte() % 3U; ranges != 0; --ranges) {
      const std::uint32_t first = input.word();
      const std::size_t count = input.byte();
      if (!slot) continue;
      for (const std::uint32_t page :
           model_.take(Owner::kGuest, Owner::kReported, first, count, false)) {
        pages.push_back(page);
        const Gpa gpa = gpa_of_page(page);
        if (segments.empty() || segments.back().addr.value + segments.back().len != gpa.value) {
          segments.push_back({gpa, 0, true});
        }
        segments.back().len += kPageSize;
      }
    }
    if (segments.empty() || !publish(Role::kReport, segments, *slot, pages)) {
      model_.give(pages, Owner::kGuest);
    }
  }

  /// Hint commands, messages, statistics: whatever the input has; now and then the round's id.
  void send_words(Input& input, Role role) {
    const auto slot = free_slot(role);
    const auto bytes = input.bytes(input.byte() % 64U);
    const std::uint32_t command = config_.hint_command();
    const bool says_command = role == Role::kHint && bytes.size() == 5;
    if (!slot) return;
    put(role, *slot, says_command ? std::as_bytes(std::span(&command, 1)) : bytes);
    const auto length = static_cast<std::uint32_t>(says_command ? sizeof(command) : bytes.size());
    static_cast<void>(send(role, *slot, length, input, {}));
  }

  void control(Input& input) {
    const unsigned bits = input.byte();
    const bool on = (bits & 128) != 0;
    switch (bits % 6) {
      case 0:
        return inhibit(on);
      case 1:
        return path_.prefault(on);
      case 2:
        return path_.report(on);
      case 3:
        return path_.request_stats();
      case 4:
        static_cast<void>(config_.command_hints(static_cast<wire::HintAction>(bits / 6 % 3)));
        return;
      default: {
        const std::uint32_t poison = on ? 0xaaaaaaaa : 0;
        VB_CHECK(config_.write(wire::kPoisonOffset, std::as_bytes(std::span(&poison, 1))));
      }
    }
  }

  void collect() override {
    for (const Role role : roles()) {
      Side& side = of(role);
      while (side.queue != nullptr) {
        const auto used = side.queue->poll();
        if (!used) break;
        const auto at = side.out.find(used->cookie);
        if (at == side.out.end()) continue;  // a hostile one's ring
        model_.give(at->second, role == Role::kInflate ? Owner::kBalloon : Owner::kGuest);
        side.out.erase(at);
      }
    }
  }

  void check_counts() const override {
    Machine::check_counts();
    VB_CHECK(path_.counters().reports_kept.get() <= path_.counters().reported_pages.get());
    VB_CHECK(mode_.messages || path_.counters().pressure_messages.get() == 0);
  }

  void start(Role role, std::uint16_t position, bool resumed) {
    serve(role, static_cast<unsigned>(role), *of(role).queue, position, resumed);
  }

  void restart(Role role) {
    quiesce();
    start(role, path_.stop(role), true);
  }

  std::array<std::uint16_t, wire::kRoles> stop_all() {
    std::array<std::uint16_t, wire::kRoles> positions{};
    quiesce();
    for (const Role role : roles()) {
      if (path_.running(role)) positions[static_cast<std::size_t>(role)] = path_.stop(role);
    }
    return positions;
  }

  /// Memory is plugged or unplugged while the rings run.
  void change_memory() {
    const auto positions = stop_all();
    model_.plug(!model_.plugged());
    path_.set_memory(memory(model_.plugged()));
    for (const Role role : roles()) {
      start(role, positions[static_cast<std::size_t>(role)], true);
    }
  }

  /// A new driver, with features of its own and rings that were never used.
  void begin_anew(unsigned bits) {
    static_cast<void>(stop_all());
    path_.empty_balloon();
    config_.begin_anew();
    path_.forget_stats();
    model_.reset();
    tells_ = (bits & 1) == 0;
    auto features = wire::Features{};
    if (tells_) features = features.with(wire::Feature::kMustTellHost);
    if ((bits & 2) != 0) features = features.with(wire::Feature::kPagePoison);
    path_.set_features(features);
    driver::Arena arena(GpaRange{Gpa{0}, kArena});
    for (const Role role : roles()) {
      Side& side = of(role);
      side.out.clear();
      side.queue = make_queue(arena, (bits & 4) != 0 ? 4 : 0);
      side.buffers = arena.take(kSlots * kSlotBytes, kPageSize).value();
      start(role, side.queue->place().begin, false);
    }
  }

  const Mode mode_;
  PageModel model_;
  std::array<Side, wire::kRoles> sides_;
  bool tells_ = true;
};

}  // namespace

void run(Input input) {
  StockMachine machine(Mode::from(input));
  while (!input.empty()) machine.act(input);
  machine.finish();
}

}  // namespace vballoon::fuzz
