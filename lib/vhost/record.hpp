// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/record.hpp - what of a device, and of its VMM's connection, the next daemon has to know, as
//                    bytes.
// Pure. Bytes that are decoded may be anybody's: what has a form here is checked here. The messages
// in it are repeated to librte_vhost, and are checked then as a VMM's are.
// Why:    a VMM says most things once. Whoever takes its connection up has to say them to
//         librte_vhost in the VMM's place, so the record has the newest message of each kind, and
//         of each ring. How far rings came is in the state file (vm/state), which outlives the
//         process by itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "vhost/kept_door.hpp"
#include "vm/restarts.hpp"
#include "wire/queue_map.hpp"
#include "wire/vhost_user.hpp"

namespace vballoon::vhost {

/// A message as it is repeated. Its payload has the bytes that have a meaning, and no others.
struct SaidMessage {
  wire::Request request{};
  std::vector<std::byte> payload;
  std::size_t descriptors = 0;

  friend bool operator==(const SaidMessage&, const SaidMessage&) = default;
};

/// Whether a message with this request is in records.
[[nodiscard]] bool is_said(wire::Request request) noexcept;
/// The longest payload of this request. @pre is_said()
[[nodiscard]] std::size_t longest_payload(wire::Request request) noexcept;
/// Messages are repeated in the order of this number. Of two with one number the later one counts.
/// @pre is_said(), and the payload is long enough for the ring's index
[[nodiscard]] unsigned order_of(const SaidMessage& message) noexcept;

/// One ring, beside what was said of it.
struct KeptRing {
  std::uint32_t generation = 0;  ///< of the newest SET_VRING_BASE; a mark of another one is void
  std::uint16_t stopped_at = 0;
  bool begun = false;    ///< it was served on this connection
  bool stopped = false;  ///< `stopped_at` has a meaning
  bool over = false;     ///< it is left alone until its next SET_VRING_KICK
  friend bool operator==(const KeptRing&, const KeptRing&) = default;
};

/// A record has at most so many bytes of settings.
inline constexpr std::size_t kMaxSettingsBytes = 1536;

struct Record {
  std::string device;             ///< its name
  std::optional<KeptDoor> door;   ///< nothing: nobody listens, or that cannot be kept
  std::string settings;           ///< lines of vm::KeptSettings, at most kMaxSettingsBytes; or none
  bool connected = false;         ///< else it has nothing of what follows
  std::uint32_t restores = 0;     ///< how often it was begun to take it up, in vain
  vm::Restarts restarts;          ///< the ends of the daemon since it was made
  std::uint64_t state_inode = 0;  ///< of the state file with its ledger and its marks
  bool undecided = false;         ///< nobody knows whether that ledger is its guest's
  bool ends_unsaid = false;       ///< see Session
  bool ledger_whole = true;       ///< see vm::Guest
  std::array<KeptRing, wire::kQueues> rings{};
  std::vector<SaidMessage> said;  ///< in their order

  friend bool operator==(const Record&, const Record&) = default;
};

/// Before those of the messages come the door, if there is one, and with a connection the
/// connection itself and the file of its answers.
[[nodiscard]] std::size_t own_descriptors(const Record& record) noexcept;
/// The most that a record has: backend channel, in-flight region, its witness, log; eight regions;
/// and with each of five rings a kick and a call.
inline constexpr std::size_t kRecordDescriptors = 1 + 2 + 4 + 8 + 2 * wire::kQueues;

/// @pre  said is in order.
[[nodiscard]] std::vector<std::byte> encode(const Record& record);

/// @param descriptors  as many came with it.
/// @errors kUnavailable: it is of another version of the daemon. kInvalidArgument with what is
///         wrong with it.
[[nodiscard]] Result<Record> decode(std::span<const std::byte> bytes, std::size_t descriptors);

}  // namespace vballoon::vhost
