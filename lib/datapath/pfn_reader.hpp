// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/pfn_reader.hpp - the page numbers of one inflate or deflate buffer, in portions.
#pragma once

#include <cstddef>
#include <span>

#include "datapath/counters.hpp"
#include "datapath/pfn_decoder.hpp"
#include "gmem/guest_memory.hpp"
#include "virtq/chain_walk.hpp"

namespace vballoon::datapath {

/// A buffer may be as long as a descriptor can say, 4 GiB, so it is read bit by bit and may be put
/// aside between two passes. Guest bytes are copied once.
class PfnReader {
 public:
  PfnReader(virtq::ChainWalk walk, const gmem::GuestMemory& memory,
            DeviceCounters& counters) noexcept
      : walk_(walk), memory_(&memory), counters_(&counters) {}

  /// @param out  at least 2 long.
  /// @return page numbers decoded; 0 only at the end of the buffer.
  [[nodiscard]] std::size_t read(std::span<Pfn> out) noexcept;

  [[nodiscard]] const virtq::ChainWalk& walk() const noexcept { return walk_; }

 private:
  [[nodiscard]] bool next_readable() noexcept;

  virtq::ChainWalk walk_;
  GpaRange rest_;  // of the present descriptor's buffer
  datapath::PfnDecoder decoder_;
  const gmem::GuestMemory* memory_;
  DeviceCounters* counters_;
};

}  // namespace vballoon::datapath
