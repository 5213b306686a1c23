// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/fuzz_input.hpp - a fuzzer's bytes, taken from the front; zeroes once they are spent.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vballoon::fuzz {

class Input {
 public:
  explicit Input(std::span<const std::byte> bytes) noexcept : rest_(bytes) {}

  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
  std::span<const std::byte> bytes(std::size_t most) noexcept {
    const auto taken = rest_.first(std::min(most, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  std::uint8_t byte() noexcept {
    const auto taken = bytes(1);
    return taken.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(taken[0]);
  }
  std::uint16_t word() noexcept {
    const unsigned low = byte();
    return static_cast<std::uint16_t>(low | unsigned{byte()} << 8U);
  }

 private:
  std::span<const std::byte> rest_;
};

/// What a target does with one input. It aborts where something is wrong.
void run(Input input);

}  // namespace vballoon::fuzz
