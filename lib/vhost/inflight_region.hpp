// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/inflight_region.hpp - what a front end keeps for a backend that dies: how far rings came.
// Thread: the vhost event thread; the words that it hands out are written by the owner of the ring.
// Source: vhost-user protocol, "Inflight I/O tracking"; what is in the region is the backend's
//         affair. Buffers are used in order here, so a place in the ring says it all.
//
// Not librte_vhost's: that one believes sizes and numbers that come with the message, reads as far
// as the region tells it to, and follows the region to a place where nothing is in flight.
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

  /// A new one, all zero, of a size that nobody can change. @errors kHost.
  [[nodiscard]] static Result<UniqueFd> create();

  /// What a front end hands back. It may hold anything, but nobody can take its memory away.
  /// @errors kInvalidArgument: not all of a region, or a file that can be made shorter (the daemon
  ///         would die of the next store); kHost.
  [[nodiscard]] static Result<InflightRegion> map(int fd, std::uint64_t offset,
                                                  std::uint64_t bytes);

  /// None at all.
  InflightRegion() noexcept = default;

  [[nodiscard]] bool present() const noexcept { return at_ != nullptr; }
  /// Null where there is none.
  [[nodiscard]] vm::RingRecord* ring(std::size_t index) noexcept;
  /// As it was when it came; nothing for a ring that was never started with it.
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

  void take_over() noexcept;

  std::unique_ptr<Layout, Unmap> at_;
  std::array<vm::RingRecord, vm::kRings> left_{};
};

}  // namespace vballoon::vhost
