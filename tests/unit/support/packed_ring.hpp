// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/support/packed_ring.hpp - the driver's side of a packed ring, with nothing hidden: a
//                                      test may write every field, right or wrong.
// Source: VIRTIO 1.2, 2.8.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "support/driver_ring.hpp"
#include "support/guest_ram.hpp"
#include "wire/packed_layout.hpp"

namespace vballoon::test {

class PackedRing {
 public:
  /// Lays the three areas out from `base` on, each on a page of its own.
  PackedRing(const GuestRam& ram, Gpa base, unsigned size);

  [[nodiscard]] unsigned size() const noexcept { return size_; }
  [[nodiscard]] virtq::PackedAreas areas() const;

  /// As if so many laps had been made and the driver stood here now.
  void begin_at(std::uint16_t position);
  /// Where the driver adds next, as vhost-user says it.
  [[nodiscard]] std::uint16_t position() const noexcept;

  // --- Field by field -----------------------------------------------------------------------
  void set(unsigned i, const wire::PackedDescriptor& descriptor);
  void set_flags(unsigned i, std::uint16_t flags);
  void set_indirect(Gpa table, unsigned i, const wire::PackedDescriptor& descriptor);
  [[nodiscard]] wire::PackedDescriptor get(unsigned i) const;
  void set_driver_events(std::uint16_t flags);
  [[nodiscard]] std::uint16_t device_events() const;

  // --- As a driver does it ------------------------------------------------------------------
  /// Adds one chain, whose last descriptor carries `id`; the first is made available last.
  void send(std::uint16_t id, const std::vector<Piece>& pieces);
  /// Adds one descriptor that names an indirect table with the pieces.
  void send_indirect(std::uint16_t id, Gpa table, const std::vector<Piece>& pieces);
  /// Adds one chain of descriptors as they are, but for AVAIL, USED, NEXT and the id.
  void add(std::uint16_t id, const std::vector<wire::PackedDescriptor>& chain);
  /// Ids used since the last call, oldest first.
  std::vector<std::uint32_t> collect();

 private:
  struct Cursor {
    unsigned index = 0;
    bool wrap = true;
  };
  void advance(Cursor* cursor, unsigned by) const;
  [[nodiscard]] std::uint16_t* flags_at(unsigned i) const;
  [[nodiscard]] Gpa at(unsigned i) const { return Gpa{base_.value + i * 16}; }
  [[nodiscard]] Gpa driver_event() const;
  [[nodiscard]] Gpa device_event() const;

  const GuestRam& ram_;
  Gpa base_;
  unsigned size_;
  Cursor next_;
  Cursor used_;
  std::multimap<std::uint32_t, unsigned> lengths_;  // descriptors, by id, of what is out
};

}  // namespace vballoon::test
