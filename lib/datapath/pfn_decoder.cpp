// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/pfn_decoder.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace vballoon::datapath {

std::size_t PfnDecoder::decode(std::span<const std::byte> bytes, std::span<Pfn> out) noexcept {
  std::size_t count = 0;
  if (carried_ != 0) {
    const std::size_t step = std::min(carry_.size() - carried_, bytes.size());
    std::copy_n(bytes.begin(), step, carry_.begin() + static_cast<std::ptrdiff_t>(carried_));
    carried_ += step;
    bytes = bytes.subspan(step);
    if (carried_ < carry_.size()) return 0;
    std::memcpy(&out[count++].value, carry_.data(), carry_.size());
    carried_ = 0;
  }
  const std::size_t whole = bytes.size() / sizeof(std::uint32_t);
  if (whole != 0) std::memcpy(out.data() + count, bytes.data(), whole * sizeof(std::uint32_t));
  bytes = bytes.subspan(whole * sizeof(std::uint32_t));
  std::copy(bytes.begin(), bytes.end(), carry_.begin());
  carried_ = bytes.size();
  return count + whole;
}

std::size_t PfnDecoder::finish() noexcept {
  return std::exchange(carried_, 0);
}

}  // namespace vballoon::datapath
