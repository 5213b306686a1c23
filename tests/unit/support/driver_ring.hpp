// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/support/driver_ring.hpp - the driver's side of a split ring, with nothing hidden: a
//                                      test may write every field, right or wrong.
// Source: VIRTIO 1.2, 2.7.
#pragma once

#include <cstdint>
#include <vector>

#include "support/guest_ram.hpp"
#include "virtq/split_queue.hpp"
#include "wire/split_layout.hpp"

namespace vballoon::test {

/// A piece of a buffer, as a descriptor names it.
struct Piece {
  Gpa gpa;
  std::uint32_t bytes = 0;
  bool device_writes = false;
};

class DriverRing {
 public:
  /// Lays the three areas out from `base` on, each on a page of its own.
  DriverRing(const GuestRam& ram, Gpa base, unsigned size);

  [[nodiscard]] static std::uint64_t bytes_needed(unsigned size);
  [[nodiscard]] unsigned size() const noexcept { return size_; }
  [[nodiscard]] virtq::SplitAreas areas() const;

  /// As if so many buffers had been sent and used before: both indexes stand at `index`.
  void begin_at(std::uint16_t index);

  // --- Field by field -----------------------------------------------------------------------
  void set_descriptor(unsigned i, const wire::Descriptor& descriptor);
  void set_indirect(Gpa table, unsigned i, const wire::Descriptor& descriptor);
  void set_avail_slot(unsigned slot, std::uint16_t head);
  void set_avail_idx(std::uint16_t idx);
  void set_avail_flags(std::uint16_t flags);
  void set_used_idx(std::uint16_t idx);
  [[nodiscard]] std::uint16_t avail_idx() const;
  [[nodiscard]] std::uint16_t used_idx() const;
  [[nodiscard]] std::uint16_t used_flags() const;
  [[nodiscard]] wire::UsedElement used_slot(unsigned slot) const;

  // --- As a driver does it ------------------------------------------------------------------
  /// Makes the chain that begins at `head` available.
  void offer(std::uint16_t head);
  /// Writes the pieces into descriptors head, head + 1, ... and offers the chain.
  void send(std::uint16_t head, const std::vector<Piece>& pieces);
  /// Writes the pieces into an indirect table at `table` and offers descriptor `head`, naming it.
  void send_indirect(std::uint16_t head, Gpa table, const std::vector<Piece>& pieces);
  /// Heads used since the last call, oldest first.
  std::vector<std::uint32_t> collect();

 private:
  [[nodiscard]] Gpa descriptors() const noexcept { return base_; }
  [[nodiscard]] Gpa avail() const noexcept;
  [[nodiscard]] Gpa used() const noexcept;

  const GuestRam& ram_;
  Gpa base_;
  unsigned size_;
  std::uint16_t collected_ = 0;
};

}  // namespace vballoon::test
