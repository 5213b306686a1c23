// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/held_buffers.hpp - buffers whose effect is not guaranteed yet, in the order they came.
// Source: section 4 of the design: when a buffer may be acknowledged.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "reclaim/handover.hpp"
#include "virtq/head.hpp"

namespace vballoon::datapath {

/// A FIFO per ring: a buffer may be used once its own fence and those before it are passed.
class HeldBuffers {
 public:
  /// @param capacity  descriptors of the ring: more cannot be outstanding.
  explicit HeldBuffers(std::size_t capacity);

  /// Until all that was handed over by now is done.
  void hold(virtq::Head head, reclaim::Fence fence) noexcept { push({fence, head, true}); }
  /// Until all that is gathered now is done; the fence is not known before it was handed over.
  void hold_for_gathered(virtq::Head head) noexcept {
    push({{}, head, false});
    ++unsealed_;
  }

  /// All that was gathered is handed over: this is the fence of those that waited for it.
  void seal(reclaim::Fence fence) noexcept;

  /// The next buffer that may be used.
  [[nodiscard]] std::optional<virtq::Head> release(const reclaim::Handover& handover) noexcept;

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] bool unsealed() const noexcept { return unsealed_ != 0; }

 private:
  struct Held {
    reclaim::Fence fence;
    virtq::Head head;
    bool sealed = false;
  };
  void push(Held held) noexcept;

  std::vector<Held> slots_;  // a ring buffer
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::size_t unsealed_ = 0;  // the newest ones
};

}  // namespace vballoon::datapath
