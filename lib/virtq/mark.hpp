// SPDX-License-Identifier: BSD-3-Clause
//
// virtq/mark.hpp - the position of a ring, for the next owner after one that died.
// Thread: written by the ring's owner; read once that is gone.
//
// One word, stored whole: a process that is killed at any instant leaves a mark that is true. The
// mark is stored before the driver can see a change of the ring and again after it.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace vballoon::virtq {

/// Positions are those of SET_VRING_BASE: of a packed ring with the wrap counter in bit 15.
struct Mark {
  std::uint16_t published = 0;  ///< the driver sees all buffers before it as used
  std::uint16_t about = 0;      ///< and all before this one, once what is staged is published
  /// Split: the used index that goes with `about`. Packed: where the last staged buffer begins,
  /// also once it is published; `about` where there was none.
  std::uint16_t detail = 0;
  std::uint16_t id = 0;  ///< Packed: of that buffer.

  friend constexpr bool operator==(const Mark&, const Mark&) = default;
  [[nodiscard]] constexpr bool settled() const noexcept { return published == about; }
};
static_assert(sizeof(Mark) == sizeof(std::uint64_t));

/// The words that a ring's mark is stored in: in the daemon's own keeping, and in the front end's
/// (VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD). Either may be missing.
struct MarkWords {
  std::array<std::uint64_t*, 2> words{};

  /// Nothing that comes before it in the program is done after it, nor the other way round: the
  /// reader comes when the writer's last instruction is done, so it is the compiler's order alone
  /// that counts.
  void store(const Mark& mark) const noexcept {
    const auto word = std::bit_cast<std::uint64_t>(mark);
    for (std::uint64_t* const at : words) {
      if (at != nullptr) __atomic_store_n(at, word, __ATOMIC_RELEASE);
    }
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  /// Of a ring that goes on at this place: a word that was left there, and knows more, stays.
  void begin(const Mark& mark) const noexcept {
    for (std::uint64_t* const at : words) {
      if (at == nullptr) continue;
      const auto left = std::bit_cast<Mark>(__atomic_load_n(at, __ATOMIC_ACQUIRE));
      if (left.settled() && left.published == mark.published) continue;
      __atomic_store_n(at, std::bit_cast<std::uint64_t>(mark), __ATOMIC_RELEASE);
    }
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
};

}  // namespace vballoon::virtq
