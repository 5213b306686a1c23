// SPDX-License-Identifier: BSD-3-Clause
//
// vm/guest.hpp - what is known of the guest that is connected. Another connection begins with
//                another one of these.
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
  std::uint64_t boot_bytes = 0;                ///< see gmem::boot_bytes()
  std::optional<std::uint64_t> resident_then;  ///< when the inflate ring stopped last
  bool ledger_whole = true;  ///< nothing is in its balloon of which the ledger does not know
};

/// The newest statistics; nothing where there are none.
[[nodiscard]] std::optional<StatsReport> newest_stats(const datapath::DataPath& path,
                                                      std::uint64_t now_ms) noexcept;

/// What tells how large the guest is, for settle().
void find_clues(const Balloon& balloon, const Guest& guest, wire::BitTwo bit_two,
                VmFigures* figures) noexcept;

/// How large it is by these; 0 where nothing is known.
[[nodiscard]] std::uint64_t guest_bytes(const Balloon& balloon, const Guest& guest,
                                        wire::BitTwo bit_two) noexcept;

}  // namespace vballoon::vm
