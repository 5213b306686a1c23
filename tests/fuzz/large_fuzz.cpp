// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/large_fuzz.cpp - device 13 and a driver that does anything, in any order: honest, if
//                             often wrong, and then every page is accounted for; or one that writes
//                             over its rings. An input is a list of messages, not of bytes.
// Source: docs/device-13.md, section 9.
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "large_messages.hpp"
#include "machine.hpp"
#include "wire/packed_layout.hpp"

namespace vballoon::fuzz {
namespace {

using driver::DriverQueue;
using driver::Segment;
using wire::Role;

constexpr std::size_t kSlots = 16;  // messages outstanding
constexpr std::size_t kSlotBytes = 2048;
constexpr unsigned kRequests = 3;
constexpr std::array kRolesInOrder{Role::kFromDevice, Role::kToDevice};

class LargeMachine final : public Machine {
 public:
  explicit LargeMachine(Mode mode)
      : Machine({mode.packed, mode.honest, mode.later, mode.ring_size}, kConfig, mode.limits()),
        mode_(mode) {
    begin_anew();
  }

  void act(Input& input) {
    switch (input.byte() % 16) {
      case 0:
      case 1:
      case 2:
        return send_add(input);
      case 3:
      case 4:
        return send_withdraw(input);
      case 5:
      case 6:
        return send_release(input);
      case 7:
        return send_bytes(input);
      case 8:
        return write(input);
      case 9:
        return control(input);
      case 10:
        return restart(kRolesInOrder[input.byte() % kRolesInOrder.size()]);
      case 11:
        return change_memory();
      case 12:
        return begin_anew();
      case 13:
        return sink_.step();
      default:
        return poll();
    }
  }

  /// An honest driver gets every message back, and the ledger is what it thinks.
  void finish() {
    inhibit(false);
    settle();
    check_counts();
    if (!mode_.honest) return;
    VB_CHECK(out_.empty());
    for (const auto& queue : queues_) check_lawful(*queue);
    VB_CHECK(pages_to_bytes(path_.counters().ballooned_pages.get()) == model_.bytes());
  }

 private:
  [[nodiscard]] DriverQueue& queue(Role role) {
    return *queues_[role == Role::kFromDevice ? 0 : 1];
  }

  bool discard(int /*fd*/, std::uint64_t offset, std::uint64_t bytes) noexcept override {
    check_discard(offset, bytes);
    if (!mode_.honest) return true;
    for (std::uint64_t at = offset; at < offset + bytes; at += kPageSize) {
      model_.check_discard(address_in_file(at));
    }
    return true;
  }
  bool provide(int, std::uint64_t, std::uint64_t, std::byte*) noexcept override {
    return !pool_is_empty_;
  }
  /// The file has the first piece of RAM, then the second.
  static std::uint64_t address_in_file(std::uint64_t at) {
    constexpr std::uint64_t kFirst = kLow + pages_to_bytes(PageModel::kFirst);
    return at < kFirst ? at : kPlugged + (at - kFirst);
  }

  // --- Messages ---

  std::optional<std::uint64_t> free_slot() const {
    for (std::uint64_t slot = 0; slot < kSlots; ++slot) {
      if (!out_.contains(slot)) return slot;
    }
    return std::nullopt;
  }
  [[nodiscard]] Gpa place(std::uint64_t slot) const {
    return Gpa{buffers_.value + slot * kSlotBytes};
  }

  /// Cut into up to three descriptors for reading, and up to two for writing.
  void send(std::span<const std::byte> readable, std::uint32_t room, Message message,
            Input& input) {
    const auto slot = free_slot();
    const unsigned cuts = input.byte();
    if (!slot || readable.size() + room > kSlotBytes || readable.size() + room == 0) return;
    std::ranges::copy(readable, ram().at(place(*slot), kSlotBytes).begin());
    std::vector<Segment> segments;
    cut(place(*slot), static_cast<std::uint32_t>(readable.size()), cuts % 3U, false, &segments);
    message.answer = Gpa{place(*slot).value + readable.size()};
    cut(message.answer, room, cuts / 3 % 2U, true, &segments);
    if (segments.size() > mode_.ring_size) return;
    DriverQueue& to = queue(Role::kToDevice);
    if (!to.add(segments, *slot)) return;
    model_.offer(message.pages);
    out_.emplace(*slot, std::move(message));
    to.publish();
  }
  void send_add(Input& input) {
    Built built = build(mode_, input, MessageType::kPages, 1 + input.byte() % 80U);
    const unsigned both = input.byte();
    if (both % 16 != 0) return send(built.bytes, 0, std::move(built.message), input);
    built.message.pages.clear();  // DEV-18
    built.message.valid = false;
    send(built.bytes, 8 + both, std::move(built.message), input);
  }
  void send_withdraw(Input& input) {
    Built built = build(mode_, input, MessageType::kPages, 0);
    const std::uint32_t room = input.byte() % 80U * 8 + input.byte() % 8U;
    built.message.room = std::min<std::uint64_t>(room / 8, kMaxPages);
    send(built.bytes, room, std::move(built.message), input);
  }
  void send_release(Input& input) {
    Built built = build(mode_, input, MessageType::kRelease, input.byte() % 70U);
    name_ballooned(input, model_.set(), &built);
    const std::uint32_t room = input.byte() % 20U;
    built.message.valid = room >= 8 && mode_.release;
    // Nothing is discarded for it, and nothing enters the balloon.
    std::vector<LargePage> pages = std::exchange(built.message.pages, {});
    Message message = std::move(built.message);
    message.room = room / 8;
    released_[free_slot().value_or(kSlots)] = std::move(pages);
    send(built.bytes, room, std::move(message), input);
  }
  /// Statistics, states, pressure, and whatever the input has that is neither PAGES nor RELEASE.
  void send_bytes(Input& input) {
    const unsigned type = input.byte();
    const auto some = input.bytes(input.byte() % 100U);
    const std::uint32_t room = input.byte() % 16U;
    std::vector<std::byte> bytes(some.begin(), some.end());
    if (bytes.size() >= sizeof(wire::large::Header)) {
      const bool pages = type == 0 || type == 2;
      bytes[0] = static_cast<std::byte>(pages ? type + 3 : type);
    }
    Message message;
    message.valid = false;
    send(bytes, room, std::move(message), input);
  }

  // --- Answers ---

  /// DEV-15: memory, and not of the rings.
  [[nodiscard]] bool is_memory(LargePage page) const {
    if (page.at.value > kPlugged * 2) return false;
    for (std::uint64_t at = page.at.value; at < page.at.value + page.bytes(); at += kPageSize) {
      if (path_.memory()->find(Gpa{at}) == nullptr) return false;
    }
    return std::ranges::none_of(rings_, [page](GpaRange ring) {
      return ring.first.value < page.at.value + page.bytes() &&
             page.at.value < ring.first.value + ring.bytes;
    });
  }

  void settle_message(std::uint64_t slot, const Message& message, std::uint32_t written) {
    const auto is_memory = [this](LargePage page) { return this->is_memory(page); };
    model_.add(message.pages, is_memory);
    if (!mode_.honest) return;
    VB_CHECK(message.valid || written == 0);
    if (!message.valid) return;
    if (message.type == MessageType::kRelease) return settle_release(slot, message, written);
    VB_CHECK(written % 8 == 0 && written / 8 <= message.room);
    VB_CHECK(message.offered || written == 0);
    for (std::uint32_t at = 0; at < written; at += 8) {
      model_.hand_back({Gpa{word_at(message.answer, at)}, message.shift});
    }
  }
  void settle_release(std::uint64_t slot, const Message& message, std::uint32_t written) {
    VB_CHECK(written == 8);
    const auto pages = std::exchange(released_[slot], {});
    const std::uint64_t count = word_at(message.answer, 0);
    if (!message.offered) return;  // none of them is in the balloon
    VB_CHECK(count <= pages.size());
    for (const LargePage& page : std::span(pages).first(count)) model_.release(page);
  }
  [[nodiscard]] bool owes() const override { return !out_.empty(); }
  void collect() override {
    if (queues_[1] == nullptr) return;
    while (const auto used = queue(Role::kToDevice).poll()) {
      const auto at = out_.find(used->cookie);
      if (at == out_.end()) continue;  // a hostile one's ring
      const Message message = std::move(at->second);
      out_.erase(at);
      settle_message(used->cookie, message, used->written);
    }
    while (const auto used = queue(Role::kFromDevice).poll()) {
      VB_CHECK(!mode_.honest || used->written == request_bytes(used->cookie));
      if (used->cookie < kRequests) offer_request(used->cookie);
    }
  }

  /// The last buffer is too short for a request (DEV-4).
  static std::uint32_t request_bytes(std::uint64_t buffer) {
    return buffer + 1 == kRequests ? 0 : sizeof(wire::large::Request);
  }
  void offer_request(std::uint64_t buffer) {
    const std::uint32_t bytes = request_bytes(buffer) == 0 ? 9 : 20;
    const std::array segment{Segment{Gpa{requests_.value + buffer * 64}, bytes, true}};
    if (queue(Role::kFromDevice).add(segment, buffer)) queue(Role::kFromDevice).publish();
  }

  // --- What else happens ---

  void control(Input& input) {
    const unsigned bits = input.byte();
    const bool on = (bits & 128) != 0;
    switch (bits % 6) {
      case 0:
        return inhibit(on);
      case 1:
        return path_.prefault(on);
      case 2:
        pool_is_empty_ = on;
        return;
      case 3:
        return path_.request_stats();
      default:
        config_.set_num_pages(bits);
        return path_.tell_target();
    }
  }
  void start(Role role, std::uint16_t position, bool resumed) {
    serve(role, role == Role::kFromDevice ? 0 : 1, queue(role), position, resumed);
  }
  void note_ring(const driver::RingPlace& place) {
    const std::uint64_t events = sizeof(wire::EventSuppression);
    const unsigned size = mode_.ring_size;
    note(place.descriptors, wire::descriptor_table_bytes(size));
    note(place.driver, mode_.packed ? events : wire::avail_ring_bytes(size));
    note(place.device, mode_.packed ? events : wire::used_ring_bytes(size));
  }
  void note(const std::byte* at, std::uint64_t bytes) {
    const auto offset = static_cast<std::uint64_t>(at - ram().at(Gpa{0}, kArena).data());
    rings_.push_back({Gpa{offset}, bytes});
  }
  void restart(Role role) {
    quiesce();
    start(role, path_.stop(role), true);
  }
  std::array<std::uint16_t, 2> stop_all() {
    std::array<std::uint16_t, 2> positions{};
    quiesce();
    for (std::size_t i = 0; i < kRolesInOrder.size(); ++i) {
      if (path_.running(kRolesInOrder[i])) positions[i] = path_.stop(kRolesInOrder[i]);
    }
    return positions;
  }
  /// Memory is plugged or unplugged while the rings run.
  void change_memory() {
    const auto positions = stop_all();
    plugged_ = !plugged_;
    path_.set_memory(memory(plugged_));
    model_.drop_unless([this](LargePage page) { return is_memory(page); });
    for (std::size_t i = 0; i < kRolesInOrder.size(); ++i) {
      start(kRolesInOrder[i], positions[i], true);
    }
  }
  /// A new driver, and rings that were never used.
  void begin_anew() {
    static_cast<void>(stop_all());
    path_.empty_balloon();
    path_.forget_stats();
    model_.reset();
    out_.clear();
    path_.set_features(mode_.features());
    driver::Arena arena(GpaRange{Gpa{0}, kArena});
    buffers_ = arena.take(kSlots * kSlotBytes, kPageSize).value();
    requests_ = arena.take(kRequests * 64, kPageSize).value();
    rings_.clear();
    for (std::size_t i = 0; i < kRolesInOrder.size(); ++i) {
      queues_[i] = make_queue(arena, 8);
      start(kRolesInOrder[i], queues_[i]->place().begin, false);
      note_ring(queues_[i]->place());
    }
    for (unsigned buffer = 0; buffer < kRequests; ++buffer) offer_request(buffer);
  }

  const Mode mode_;
  LargeModel model_;
  std::array<std::unique_ptr<DriverQueue>, 2> queues_;
  std::vector<GpaRange> rings_;  // of the queues
  Gpa buffers_;
  Gpa requests_;
  std::map<std::uint64_t, Message> out_;                      // by slot
  std::map<std::uint64_t, std::vector<LargePage>> released_;  // by slot: what RELEASE names
  bool pool_is_empty_ = false;
  bool plugged_ = true;
};

}  // namespace

void run(Input input) {
  LargeMachine machine(Mode::from(input));
  while (!input.empty()) machine.act(input);
  machine.finish();
}

}  // namespace vballoon::fuzz
