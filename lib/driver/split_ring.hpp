// SPDX-License-Identifier: BSD-3-Clause
//
// driver/split_ring.hpp - the driver's side of a split virtqueue's memory.
// Thread: one owner, that of the queue.
// Source: VIRTIO 1.2: 2.7.13 adding buffers, 2.7.13.3 order of publication, 2.7.14 used buffers,
//         2.7.9 in-order use.
#pragma once

#include <deque>
#include <vector>

#include "driver/ring_format.hpp"
#include "virtq/areas.hpp"

namespace vballoon::driver {

class SplitRing final : public RingFormat {
 public:
  /// @errors as make_packed_ring().
  [[nodiscard]] static Result<std::unique_ptr<SplitRing>> create(const GuestRam& ram, Arena& arena,
                                                                 const QueueShape& shape);

  [[nodiscard]] std::size_t free_descriptors() const noexcept override { return free_.size(); }
  [[nodiscard]] std::uint16_t next_id() const noexcept override {
    return in_order_ ? free_.front() : free_.back();
  }
  void add(std::span<const wire::Descriptor> elements) override;
  void fill_table(std::byte* table, std::span<const wire::Descriptor> elements) const override;
  void add_broken() override { add_raw(static_cast<std::uint16_t>(areas_.size)); }
  void publish() noexcept override;
  [[nodiscard]] bool wants_kick() const noexcept override;
  void suppress_calls() noexcept override;
  [[nodiscard]] std::optional<wire::UsedElement> take_used(unsigned outstanding,
                                                           Violations* violations) override;
  void release(std::uint16_t id) override;
  [[nodiscard]] RingPlace place() const noexcept override;
  [[nodiscard]] bool may_stand_at(std::uint16_t position) const noexcept override;
  [[nodiscard]] std::uint16_t used_position() const noexcept override;
  [[nodiscard]] std::uint16_t avail_position() const noexcept override { return avail_index_; }

  /// A descriptor that no add() will take any more.
  [[nodiscard]] std::uint16_t take_free();
  /// Any number into the avail ring.
  void add_raw(std::uint16_t head);

  [[nodiscard]] const virtq::SplitAreas& areas() const noexcept { return areas_; }
  [[nodiscard]] std::uint16_t avail_index() const noexcept { return avail_index_; }

 private:
  explicit SplitRing(const QueueShape& shape);
  Result<void> take_memory(const GuestRam& ram, Arena& arena);

  virtq::SplitAreas areas_;
  std::uint16_t avail_index_ = 0;
  std::uint16_t added_ = 0;  // since the last publish()
  std::uint16_t last_used_ = 0;
  std::vector<std::uint16_t> next_;    // by descriptor: ours, as the device may not tell us
  std::vector<std::uint16_t> length_;  // by head: descriptors; 0: not taken from free_
  std::deque<std::uint16_t> free_;     // descriptors; in ring order where that was negotiated
  bool in_order_;
};

}  // namespace vballoon::driver
