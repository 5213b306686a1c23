// SPDX-License-Identifier: BSD-3-Clause
//
// vm/guest.hpp - what is known of the connected guest. Each connection begins with a new object.
// Thread: the device's lock guards it.
#pragma once

#include <cstdint>
#include <optional>

#include "vm/balloon.hpp"
#include "vm/figures.hpp"
#include "vm/ring_state.hpp"
#include "vm/takeover.hpp"
#include "wire/features.hpp"

namespace vballoon::vm {

struct Guest {
  wire::Features acked;
  Rings rings{};
  Takeover takeover;
  std::uint64_t boot_bytes = 0;                ///< what gmem::boot_bytes() found
  std::optional<std::uint64_t> resident_then;  ///< resident bytes as the inflate ring stopped last
  bool handed_on = false;                      ///< the connection was an earlier daemon's, too
  bool ledger_whole = true;                    ///< the ledger has all pages of the guest's balloon
};

/// Finds the figures by which settle() tells the guest's size.
void find_clues(const Balloon& balloon, const Guest& guest, wire::Dialect dialect,
                std::uint64_t now_ms, VmFigures* figures) noexcept;

/// @return the guest's size by these figures; 0 where nothing is known.
[[nodiscard]] std::uint64_t guest_bytes(const Balloon& balloon, const Guest& guest,
                                        wire::Dialect dialect) noexcept;

}  // namespace vballoon::vm
