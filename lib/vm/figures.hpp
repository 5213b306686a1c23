// SPDX-License-Identifier: BSD-3-Clause
//
// vm/figures.hpp - the figures of one VM by which a person, a program or a law decides.
// Plain values of one moment, without memory of their own: thousands are taken in a row.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/size_text.hpp"
#include "base/units.hpp"
#include "vm/guest_size.hpp"
#include "wire/features.hpp"
#include "wire/stats.hpp"

namespace vballoon::vm {

enum class State {
  kWaiting,    ///< no VMM is connected to the socket
  kConnected,  ///< a VMM is, but its guest has not started the balloon driver
  kStopped,    ///< its rings were served and are stopped: paused, or reset, and nobody says which
  kRunning,    ///< the inflate and deflate rings are served
  kBroken,     ///< the guest broke the rules on a ring, or its memory is gone
  kSetAside,   ///< the daemon crashed because of it, and serves it no more
};
[[nodiscard]] std::string_view state_name(State state) noexcept;

struct StatsReport {
  wire::StatsSample sample;
  /// Counts samples since the driver started; a new sample has a new number.
  std::uint64_t sequence = 0;
  std::uint64_t age_ms = 0;
  std::uint64_t ballooned_bytes = 0;  ///< what the ledger held when the sample came
};

/// Sizes in bytes. `actual` is what the driver says, `ballooned` what the ledger holds. What nobody
/// knows is nothing, and never 0.
struct VmFigures {
  State state = State::kWaiting;
  /// Why it is broken (where that is not a queue's doing), set aside or slow; else empty. Of static
  /// text.
  std::string_view reason;
  bool slow = false;   ///< a thread stood still in its memory lately
  bool alone = false;  ///< no lcore serves its rings now, but a thread of its own
  unsigned lcore = 0;
  std::uint64_t guest_bytes = 0;  ///< what the guest has; 0 while no VMM is connected
  SizeSource guest_source = SizeSource::kNothing;  ///< how that is known
  std::uint64_t table_bytes = 0;                   ///< all memory in the VMM's memory table
  std::uint64_t boot_bytes = 0;                    ///< of that, what the guest booted with
  std::uint64_t target_bytes = 0;                  ///< what the driver sees
  std::uint64_t wanted_bytes = 0;  ///< what was asked for; more where the guest has less memory
  std::optional<Share> share;      ///< as which it was asked for; while no guest is known, 0 bytes
  std::optional<std::uint64_t> actual_bytes;
  std::uint64_t ballooned_bytes = 0;
  bool ledger_whole = true;  ///< else the driver brought a balloon along of which it knows nothing
  std::optional<std::uint64_t> reclaimed_bytes;  ///< of these, what the host has, at least
  std::uint64_t discarded_bytes = 0;             ///< given back by inflation, cumulative
  std::uint64_t reported_bytes = 0;              ///< given back by free page reporting, cumulative
  std::uint64_t stranded_bytes = 0;  ///< ballooned, but in a huge page that is not whole yet
  std::optional<std::uint64_t> resident_bytes;  ///< what the guest takes of the host's memory
  /// What came back of reclaimed_bytes, and is left out there. Known only where files of a disk are
  /// behind the guest's memory: gmem::most_given_back().
  std::optional<std::uint64_t> came_back_bytes;
  std::uint64_t unit_bytes = kPageSize;  ///< what targets are whole multiples of
  std::uint64_t host_page_bytes = 0;     ///< the largest page that backs it
  std::optional<unsigned> node;          ///< the NUMA node that its memory is bound to
  std::uint64_t pressure_messages = 0;   ///< sent by its driver, cumulative
  bool inhibited = false;                ///< nothing is discarded, by the operator's wish
  wire::Features acked;
  wire::Dialect dialect = wire::Dialect::kStock;  ///< what it means in these
  std::optional<StatsReport> stats;
  std::uint64_t stats_waiting_ms = 0;  ///< how long the guest has owed an answer; 0: it does not

  [[nodiscard]] bool on_disk() const noexcept { return came_back_bytes.has_value(); }
};

/// Takes what cannot be out of the statistics, and says by the rest how large the guest is: figures
/// are shown and decided by after that.
/// @pre table_bytes, boot_bytes, the features and the statistics are as they were found.
void settle(VmFigures* figures) noexcept;

}  // namespace vballoon::vm
