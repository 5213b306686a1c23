// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/inflight_region.hpp - how far rings came, in memory that a front end keeps for the next
//                             backend.
// Thread: the vhost event thread; the owner of a ring writes the ring's record.
// Source: vhost-user protocol, "Inflight I/O tracking". The backend decides what is in the region.
//         This one uses buffers in order, so a position in the ring is enough.
// Why:    librte_vhost's own code believes sizes and numbers of the message, reads as far as the
//         region says, and goes to a position of the region at which no buffer is in flight.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "vm/state/device_state.hpp"

namespace vballoon::vhost {

class InflightRegion {
 public:
  static constexpr std::uint64_t kBytes = 4096;

  /// Makes a new region, all zero, of a size that no process can change. @errors kHost.
  [[nodiscard]] static Result<UniqueFd> create();

  /// Maps the region that a front end sends back. It may have any content, but no process can take
  /// its memory away.
  /// @errors kInvalidArgument when the region is not whole, or its file can be made shorter (the
  ///         daemon would die of the next store); kHost.
  [[nodiscard]] static Result<InflightRegion> map(int fd, std::uint64_t offset,
                                                  std::uint64_t bytes);

  /// No region.
  InflightRegion() noexcept = default;

  [[nodiscard]] bool present() const noexcept { return at_ != nullptr; }
  /// @return null where there is no region.
  [[nodiscard]] vm::RingRecord* ring(std::size_t index) noexcept;
  /// @return the record as the front end sent it; nothing for a ring that was never started with
  ///         this region.
  [[nodiscard]] std::optional<vm::RingRecord> left(std::size_t index) const noexcept;

 private:
  struct Layout {
    std::uint64_t magic = 0;
    std::uint64_t reserved = 0;
    std::array<vm::RingRecord, vm::kRings> rings{};
  };
  struct Unmap {
    void operator()(Layout* at) const noexcept;
  };
  static constexpr std::uint64_t kMagic = 0x31746867696c666e;  // "nflight1"

  void read_left() noexcept;

  std::unique_ptr<Layout, Unmap> at_;
  std::array<vm::RingRecord, vm::kRings> left_{};
};

}  // namespace vballoon::vhost
