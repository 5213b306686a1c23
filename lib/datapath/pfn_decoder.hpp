// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/pfn_decoder.hpp - page numbers out of the bytes of an inflate or deflate buffer.
// Pure values.
// Source: VIRTIO 1.2, 5.5.6: an array of le32 page numbers; 2.6.4: how it is cut into descriptors
//         means nothing, so a number may begin in one and end in the next.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/units.hpp"

namespace vballoon::datapath {

class PfnDecoder {
 public:
  /// Decodes a further piece of one buffer.
  /// @param bytes  a private copy.
  /// @param out    [(bytes.size() + 3) / 4] at least.
  /// @return how many page numbers were completed.
  [[nodiscard]] std::size_t decode(std::span<const std::byte> bytes, std::span<Pfn> out) noexcept;

  /// Bytes at the end that made no whole number; ends the buffer.
  std::size_t finish() noexcept;

 private:
  std::array<std::byte, 4> carry_{};
  std::size_t carried_ = 0;
};

}  // namespace vballoon::datapath
