// SPDX-License-Identifier: BSD-3-Clause
//
// vm/ring_state.hpp - what one ring is doing on this connection, and where it stopped.
// Pure: the caller starts and stops the data path's queue.
// Source: vhost-user protocol, "Ring states" and "A vring descriptor index".
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "wire/queue_map.hpp"

namespace vballoon::vm {

class RingState {
 public:
  enum class Stage : std::uint8_t {
    kAbsent,     ///< the front end has not set it up, or has taken it away
    kReady,      ///< set up and not served: it was stopped, or waits for what it needs
    kServed,     ///< by the data path, in a role
    kSuspended,  ///< stopped for the message at hand; it goes on when that is dealt with
    kWithdrawn,  ///< suspended, and taken away by that same message
    /// Nobody stopped it, but what is there is not the ring that it was. It is left alone until its
    /// next SET_VRING_KICK, which comes last when a ring is set up; librte_vhost calls it ready
    /// meanwhile, and again with every SET_VRING_CALL.
    kOver,
  };

  [[nodiscard]] Stage stage() const noexcept { return stage_; }
  /// All that serving it takes is there.
  [[nodiscard]] bool ready() const noexcept {
    return stage_ == Stage::kReady || stage_ == Stage::kServed || stage_ == Stage::kSuspended;
  }
  [[nodiscard]] bool served() const noexcept { return stage_ == Stage::kServed; }
  /// It stood still for no longer than a message takes.
  [[nodiscard]] bool suspended() const noexcept {
    return stage_ == Stage::kSuspended || stage_ == Stage::kWithdrawn;
  }
  /// As what it is served. @pre served()
  [[nodiscard]] wire::Role role() const noexcept { return role_; }
  /// It was served on this connection: what others left of it is past.
  [[nodiscard]] bool begun() const noexcept { return begun_; }
  /// Where it stopped last on this connection, in a ring of this layout.
  [[nodiscard]] std::optional<std::uint16_t> stopped_at() const noexcept { return stopped_at_; }

  /// The front end has set it up.
  void announce() noexcept;
  /// The front end has taken it away. @pre not served
  void withdraw() noexcept;
  /// @pre ready, not served
  void start(wire::Role role) noexcept;
  /// @pre served
  void stop(std::uint16_t position) noexcept;
  /// @pre as stop()
  void suspend(std::uint16_t position) noexcept;
  /// The message at hand is dealt with.
  void settle() noexcept;
  /// @pre not served
  void end() noexcept;
  /// SET_VRING_KICK came.
  void kick() noexcept;
  /// The other layout was negotiated: a position in the one is none in the other.
  void forget_position() noexcept { stopped_at_.reset(); }

 private:
  Stage stage_ = Stage::kAbsent;
  bool begun_ = false;
  wire::Role role_ = wire::Role::kInflate;
  std::optional<std::uint16_t> stopped_at_;
};

using Rings = std::array<RingState, wire::kQueues>;

/// The two rings without which nothing is known of what is in the balloon.
inline constexpr unsigned kInflateRing = 0;
inline constexpr unsigned kDeflateRing = 1;

/// A front end starts its rings in the order of their numbers. Of those between deflate and this
/// one, one is not there.
[[nodiscard]] bool gap_below(const Rings& rings, unsigned index) noexcept;

}  // namespace vballoon::vm
