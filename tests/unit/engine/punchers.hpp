// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/engine/punchers.hpp - holes in real memory, by hosts of different tempers.
// Thread: any, and several at once.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "reclaim/discarder.hpp"

namespace vballoon::test {

enum class Temper : std::uint8_t {
  kWilling,
  kRefusing,  // every fifth call fails
  kSlow,      // some calls take long, before or after the hole is there
};

class Puncher final : public reclaim::Discarder {
 public:
  explicit Puncher(Temper temper) : temper_(temper) {}

  [[nodiscard]] bool discard(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept override {
    const std::uint64_t call = calls.fetch_add(1, std::memory_order_relaxed);
    if (temper_ == Temper::kRefusing && call % 5 == 4) {
      refused.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    // That is the temper, not a way to wait for anything.
    if (temper_ == Temper::kSlow && call % 8 == 0) ::usleep(200);
    const bool done = puncher_.discard(fd, offset, bytes);
    if (temper_ == Temper::kSlow && call % 8 == 4) ::usleep(200);
    return done;
  }

  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> refused{0};

 private:
  reclaim::HolePuncher puncher_;
  const Temper temper_;
};

}  // namespace vballoon::test
