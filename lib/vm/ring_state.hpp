// SPDX-License-Identifier: BSD-3-Clause
//
// vm/ring_state.hpp - what one ring does on this connection, and where it stopped last.
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
    kAbsent,     ///< the front end has not set the ring up, or has taken it away
    kReady,      ///< set up and not served: it was stopped, or something that it needs is missing
    kServed,     ///< the data path serves it, in a role
    kSuspended,  ///< stopped for the message at hand; it goes on after the message
    kWithdrawn,  ///< suspended, and taken away by that same message
    /// The front end did not stop the ring, but it is no longer the ring that it was. It is left
    /// alone until its next SET_VRING_KICK, which comes last when a ring is set up. Meanwhile
    /// librte_vhost calls the ring ready, and does so again with every SET_VRING_CALL.
    kOver,
  };

  [[nodiscard]] Stage stage() const noexcept { return stage_; }
  /// Whether the front end has set the ring up, so that it is served or may be.
  [[nodiscard]] bool ready() const noexcept {
    return stage_ == Stage::kReady || stage_ == Stage::kServed || stage_ == Stage::kSuspended;
  }
  [[nodiscard]] bool served() const noexcept { return stage_ == Stage::kServed; }
  /// Whether the ring has stood still for no longer than the message at hand takes.
  [[nodiscard]] bool suspended() const noexcept {
    return stage_ == Stage::kSuspended || stage_ == Stage::kWithdrawn;
  }
  /// @return the role in which the ring is served. @pre served()
  [[nodiscard]] wire::Role role() const noexcept { return role_; }
  /// Whether the ring was served on this connection: then marks that were left of it are out of
  /// date.
  [[nodiscard]] bool begun() const noexcept { return begun_; }
  /// @return where the ring stopped last on this connection, while it had the present layout.
  [[nodiscard]] std::optional<std::uint16_t> stopped_at() const noexcept { return stopped_at_; }

  /// The front end has set the ring up.
  void announce() noexcept;
  /// The front end has taken the ring away. @pre not served
  void withdraw() noexcept;
  /// @pre ready, not served
  void start(wire::Role role) noexcept;
  /// @pre served
  void stop(std::uint16_t position) noexcept;
  /// @pre as stop()
  void suspend(std::uint16_t position) noexcept;
  /// The message at hand has been handled.
  void settle() noexcept;
  /// A ring that is ready becomes kOver. @pre not served
  void end() noexcept;
  /// SET_VRING_KICK came for the ring.
  void kick() noexcept;
  /// Grows with each SET_VRING_BASE: marks of an earlier one say nothing of what is there now.
  [[nodiscard]] std::uint32_t generation() const noexcept { return generation_; }
  void renew() noexcept { ++generation_; }
  void renew_after(std::uint32_t generation) noexcept { generation_ = generation + 1; }

  [[nodiscard]] bool over() const noexcept { return stage_ == Stage::kOver; }
  /// How the ring stood when the daemon before, which had the same connection, ended.
  struct Past {
    std::uint32_t generation = 0;
    bool begun = false;
    bool over = false;
    bool served = false;  ///< as far as is known; the ring goes on as after a message
    std::optional<std::uint16_t> stopped_at;
  };
  /// @pre not served
  void take_up(const Past& past) noexcept;

  /// The other layout was negotiated: a position in one layout means nothing in the other.
  void forget_position() noexcept { stopped_at_.reset(); }

 private:
  Stage stage_ = Stage::kAbsent;
  bool begun_ = false;
  std::uint32_t generation_ = 1;
  wire::Role role_ = wire::Role::kInflate;
  std::optional<std::uint16_t> stopped_at_;
};

using Rings = std::array<RingState, wire::kQueues>;

/// Whether one of the rings between the deflate ring and this one is not ready. A front end starts
/// its rings in the order of their numbers.
[[nodiscard]] bool gap_below(const Rings& rings, unsigned index) noexcept;

}  // namespace vballoon::vm
