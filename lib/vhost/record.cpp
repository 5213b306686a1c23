// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.hpp"
#include "vm/device_name.hpp"

namespace vballoon::vhost {
namespace {

using wire::Request;

struct Kind {
  Request request;
  bool of_ring;
  std::size_t least;
  std::size_t most;
  std::size_t descriptors;  // at most
};

/// In the order in which librte_vhost has to hear of them.
constexpr std::array<Kind, 14> kKinds{{
    {Request::kSetOwner, false, 0, 0, 0},
    {Request::kSetProtocolFeatures, false, 8, 8, 0},
    {Request::kSetBackendReqFd, false, 0, 0, 1},
    {Request::kSetFeatures, false, 8, 8, 0},
    {Request::kSetInflightFd, false, wire::kInflightBytes, sizeof(wire::Inflight), 1},
    {Request::kSetLogBase, false, 16, 16, 1},
    {Request::kSetMemTable, false, sizeof(wire::MemoryHeader),
     sizeof(wire::MemoryHeader) + wire::kMaxRegions * sizeof(wire::MemoryRegion),
     wire::kMaxRegions},
    {Request::kSetVringNum, true, 8, 8, 0},
    {Request::kSetVringBase, true, 8, 8, 0},
    {Request::kSetVringAddr, true, sizeof(wire::VringAddresses), sizeof(wire::VringAddresses), 0},
    {Request::kSetVringCall, true, 8, 8, 1},
    {Request::kSetVringKick, true, 8, 8, 1},
    {Request::kSetVringEnable, true, 8, 8, 0},
    // Of this one nothing is repeated: its descriptor is the witness of what was sent with the
    // answer (keep/lent.hpp).
    {Request::kGetInflightFd, false, 0, 0, 1},
}};

const Kind* kind_of(Request request) noexcept {
  const auto found = std::find_if(kKinds.begin(), kKinds.end(),
                                  [request](const Kind& kind) { return kind.request == request; });
  return found == kKinds.end() ? nullptr : &*found;
}

constexpr std::uint32_t kMagic = 0x63654256;  // "VBec"
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kNameBytes = 64;

// Flags of a record.
constexpr std::uint32_t kUndecided = 1;
constexpr std::uint32_t kEndsUnsaid = 2;
constexpr std::uint32_t kLedgerWhole = 4;
constexpr std::uint32_t kListens = 8;
constexpr std::uint32_t kGroupNamed = 16;
constexpr std::uint32_t kConnected = 32;
constexpr std::uint32_t kAllFlags = 63;
// Flags of a ring.
constexpr std::uint32_t kBegun = 1;
constexpr std::uint32_t kStopped = 2;
constexpr std::uint32_t kOver = 4;
constexpr std::uint32_t kAllRingFlags = 7;

struct RingBytes {
  std::uint32_t generation = 0;
  std::uint16_t stopped_at = 0;
  std::uint16_t flags = 0;
};

struct DoorBytes {
  std::uint64_t file_device = 0;
  std::uint64_t file_inode = 0;
};

struct RestartBytes {
  std::uint32_t count = 0;
  std::uint32_t last_ms = 0;
  std::uint32_t longest_ms = 0;
  std::uint32_t padding = 0;
  std::uint64_t last_at_ms = 0;
};

struct Head {
  std::uint32_t magic = kMagic;
  std::uint32_t version = kVersion;
  std::array<char, kNameBytes> device{};
  std::uint64_t state_inode = 0;
  std::uint32_t restores = 0;
  std::uint32_t flags = 0;
  std::array<RingBytes, wire::kQueues> rings{};
  DoorBytes door{};
  RestartBytes restarts{};
  std::uint32_t group = 0;
  std::uint32_t settings_bytes = 0;
  std::uint32_t messages = 0;
  std::uint32_t padding = 0;
};

struct MessageHead {
  std::uint32_t request = 0;
  std::uint32_t bytes = 0;
  std::uint32_t descriptors = 0;
};

tl::unexpected<Status> wrong(std::string what) {
  return fail(Code::kInvalidArgument, "a kept record " + std::move(what));
}

template <typename Part>
void append(const Part& part, std::vector<std::byte>* to) {
  const std::size_t at = to->size();
  to->resize(at + sizeof(part));
  std::memcpy(to->data() + at, &part, sizeof(part));
}

template <typename Part>
bool take(std::span<const std::byte>* from, Part* part) noexcept {
  if (from->size() < sizeof(Part)) return false;
  std::memcpy(part, from->data(), sizeof(Part));
  *from = from->subspan(sizeof(Part));
  return true;
}

std::uint32_t first_word(std::span<const std::byte> payload) noexcept {
  std::uint32_t word = 0;
  std::memcpy(&word, payload.data(), sizeof(word));
  return word;
}

RingBytes bytes_of(const KeptRing& ring) noexcept {
  const std::uint32_t flags =
      (ring.begun ? kBegun : 0U) | (ring.stopped ? kStopped : 0U) | (ring.over ? kOver : 0U);
  return {ring.generation, ring.stopped_at, static_cast<std::uint16_t>(flags)};
}

std::uint32_t flags_of(const Record& record) noexcept {
  const bool grouped = record.door && record.door->group;
  return (record.undecided ? kUndecided : 0U) | (record.ends_unsaid ? kEndsUnsaid : 0U) |
         (record.ledger_whole ? kLedgerWhole : 0U) | (record.door ? kListens : 0U) |
         (grouped ? kGroupNamed : 0U) | (record.connected ? kConnected : 0U);
}

Head head_of(const Record& record) noexcept {
  Head head;
  record.device.copy(head.device.data(), head.device.size());
  head.state_inode = record.state_inode;
  head.restores = record.restores;
  head.flags = flags_of(record);
  std::transform(record.rings.begin(), record.rings.end(), head.rings.begin(), bytes_of);
  if (record.door) {
    head.door = {record.door->file_device, record.door->file_inode};
    head.group = record.door->group.value_or(0);
  }
  const vm::Restarts& restarts = record.restarts;
  head.restarts = {restarts.count, restarts.last_ms, restarts.longest_ms, 0, restarts.last_at_ms};
  head.settings_bytes = static_cast<std::uint32_t>(record.settings.size());
  head.messages = static_cast<std::uint32_t>(record.said.size());
  return head;
}

void read_door(const Head& head, Record* record) noexcept {
  if ((head.flags & kListens) == 0) return;
  record->door.emplace(KeptDoor{head.door.file_device, head.door.file_inode, std::nullopt});
  if ((head.flags & kGroupNamed) != 0) record->door->group = head.group;
}

Result<void> read_head(const Head& head, Record* record) {
  const auto* const end = std::find(head.device.begin(), head.device.end(), '\0');
  record->device.assign(head.device.begin(), end);
  if (!vm::check_name(record->device)) return wrong("names no device");
  if (head.flags > kAllFlags) return wrong(fmt::format("has the flags {:#x}", head.flags));
  record->state_inode = head.state_inode;
  record->restores = head.restores;
  record->undecided = (head.flags & kUndecided) != 0;
  record->ends_unsaid = (head.flags & kEndsUnsaid) != 0;
  record->ledger_whole = (head.flags & kLedgerWhole) != 0;
  record->connected = (head.flags & kConnected) != 0;
  const RestartBytes& restarts = head.restarts;
  record->restarts = {restarts.count, restarts.last_ms, restarts.longest_ms, restarts.last_at_ms};
  read_door(head, record);
  for (std::size_t i = 0; i < head.rings.size(); ++i) {
    const auto [generation, stopped_at, flags] = head.rings[i];
    if (flags > kAllRingFlags) return wrong(fmt::format("has ring {} with flags {:#x}", i, flags));
    record->rings[i] = {generation, stopped_at, (flags & kBegun) != 0, (flags & kStopped) != 0,
                        (flags & kOver) != 0};
  }
  return {};
}

Result<void> read_settings(std::uint32_t count, std::span<const std::byte>* bytes, Record* record) {
  if (count > kMaxSettingsBytes || count > bytes->size()) {
    return wrong(fmt::format("has {} bytes of settings", count));
  }
  const auto text = bytes->first(count);
  record->settings.assign(reinterpret_cast<const char*>(text.data()), text.size());
  *bytes = bytes->subspan(count);
  return {};
}

Result<SaidMessage> read_message(std::span<const std::byte>* bytes) {
  MessageHead head;
  if (!take(bytes, &head)) return wrong("ends before its last message");
  const auto request = static_cast<Request>(head.request);
  const Kind* const kind = kind_of(request);
  if (kind == nullptr) return wrong(fmt::format("has a message {}", head.request));
  if (head.bytes < kind->least || head.bytes > kind->most || head.bytes > bytes->size()) {
    return wrong(fmt::format("has a message {} of {} bytes", head.request, head.bytes));
  }
  if (head.descriptors > kind->descriptors) {
    return wrong(
        fmt::format("has a message {} with {} descriptors", head.request, head.descriptors));
  }
  const auto payload = bytes->first(head.bytes);
  *bytes = bytes->subspan(head.bytes);
  if (kind->of_ring && (first_word(payload) & 0xFF) >= wire::kQueues) {
    return wrong(fmt::format("has a message {} of ring {}", head.request, first_word(payload)));
  }
  return SaidMessage{request, {payload.begin(), payload.end()}, head.descriptors};
}

/// @return the number of descriptors.
Result<std::size_t> read_messages(std::uint32_t count, std::span<const std::byte> bytes,
                                  Record* record) {
  std::size_t descriptors = own_descriptors(*record);
  if (count != 0 && !record->connected) return wrong("has messages of nobody");
  for (std::uint32_t i = 0; i < count; ++i) {
    auto message = read_message(&bytes);
    if (!message) return tl::unexpected(message.error());
    if (!record->said.empty() && order_of(record->said.back()) >= order_of(*message)) {
      return wrong("has its messages in another order");
    }
    descriptors += message->descriptors;
    record->said.push_back(*std::move(message));
  }
  if (!bytes.empty()) return wrong(fmt::format("has {} bytes too many", bytes.size()));
  return descriptors;
}

}  // namespace

std::size_t own_descriptors(const Record& record) noexcept {
  return (record.door ? 1U : 0U) + (record.connected ? 2U : 0U);
}

bool is_said(Request request) noexcept {
  return kind_of(request) != nullptr;
}

std::size_t longest_payload(Request request) noexcept {
  const Kind* const kind = kind_of(request);
  return kind == nullptr ? 0 : kind->most;
}

unsigned order_of(const SaidMessage& message) noexcept {
  const Kind* const kind = kind_of(message.request);
  VB_CHECK(kind != nullptr);
  const auto place = static_cast<unsigned>(kind - kKinds.data());
  if (!kind->of_ring) return place;
  return place + (1 + (first_word(message.payload) & 0xFF)) * static_cast<unsigned>(kKinds.size());
}

std::vector<std::byte> encode(const Record& record) {
  std::vector<std::byte> bytes;
  append(head_of(record), &bytes);
  const auto settings = std::as_bytes(std::span(record.settings));
  bytes.insert(bytes.end(), settings.begin(), settings.end());
  for (const SaidMessage& message : record.said) {
    append(MessageHead{static_cast<std::uint32_t>(message.request),
                       static_cast<std::uint32_t>(message.payload.size()),
                       static_cast<std::uint32_t>(message.descriptors)},
           &bytes);
    bytes.insert(bytes.end(), message.payload.begin(), message.payload.end());
  }
  return bytes;
}

Result<Record> decode(std::span<const std::byte> bytes, std::size_t descriptors) {
  std::array<std::uint32_t, 2> begin{};
  auto look = bytes;
  if (!take(&look, &begin) || begin[0] != kMagic) return wrong("is none");
  if (begin[1] != kVersion) {
    return fail(Code::kUnavailable,
                fmt::format("a kept record is of version {}, and this daemon reads version {}",
                            begin[1], kVersion));
  }
  Head head;
  if (!take(&bytes, &head)) return wrong("is too short");
  Record record;
  if (auto ok = read_head(head, &record); !ok) return tl::unexpected(ok.error());
  if (auto ok = read_settings(head.settings_bytes, &bytes, &record); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto wanted = read_messages(head.messages, bytes, &record);
  if (!wanted) return tl::unexpected(wanted.error());
  if (*wanted == descriptors) return record;
  return wrong(fmt::format("of {} descriptors comes with {}", *wanted, descriptors));
}

}  // namespace vballoon::vhost
