// SPDX-License-Identifier: BSD-3-Clause
//
// vm/report.hpp - what a person or a policy is told of one device.
// Plain values, gathered at one moment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/size_text.hpp"
#include "datapath/counters.hpp"
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
};
[[nodiscard]] std::string_view state_name(State state) noexcept;

/// One virtqueue as the operator sees it.
struct QueueReport {
  unsigned index = 0;
  std::string_view role;    ///< "inflate", "deflate", "stats", "hint", "report", "message"
  std::string_view state;   ///< "stopped", "running", "broken"
  std::string_view reason;  ///< why it is broken, else empty
  unsigned size = 0;        ///< descriptors
  std::uint64_t buffers = 0;
};

struct StatsReport {
  wire::StatsSample sample;
  std::uint64_t sequence =
      0;  ///< counts samples since the driver started; a new one is a new number
  std::uint64_t age_ms = 0;
  std::uint64_t ballooned_bytes = 0;  ///< what the ledger held when it came
};

/// Free page hinting, as far as it went.
struct HintReport {
  std::string_view state;        ///< "idle", "stopped", "asked", "running" or "complete"
  std::uint32_t command_id = 0;  ///< as the driver sees it
  std::uint64_t bytes = 0;       ///< hinted in the newest round
};

/// Sizes in bytes. `actual` is what the driver says, `ballooned` what the ledger holds. What nobody
/// knows is nothing, and never 0.
struct DeviceReport {
  std::string name;
  std::string socket;
  bool client = false;
  unsigned lcore = 0;
  State state = State::kWaiting;
  std::string reason;  ///< why it is broken (where that is not a queue's doing) or slow; else empty
  bool slow = false;   ///< a thread stood still in its memory lately
  bool alone = false;  ///< no lcore serves its rings now, but a thread of its own
  std::uint64_t guest_bytes = 0;  ///< what the guest has; 0 while no VMM is connected
  vm::SizeSource guest_source = vm::SizeSource::kNothing;  ///< how that is known
  std::uint64_t table_bytes = 0;                           ///< all memory in the VMM's memory table
  std::uint64_t boot_bytes = 0;                            ///< of that, what the guest booted with
  std::uint64_t target_bytes = 0;                          ///< what the driver sees
  std::uint64_t wanted_bytes = 0;  ///< what was asked for; more where the guest has less memory
  std::optional<Share> share;      ///< as which it was asked for; while no guest is known, 0 bytes
  bool forced = false;             ///< even where it leaves next to nothing to the guest
  bool kept = false;               ///< what was asked for is there for the next daemon
  std::string why_not_kept;        ///< empty where nothing is to be kept
  std::optional<std::uint64_t> actual_bytes;
  std::uint64_t ballooned_bytes = 0;
  bool ledger_whole = true;  ///< else the driver brought a balloon along of which it knows nothing
  std::optional<std::uint64_t> reclaimed_bytes;  ///< of these, what the host has, at least
  std::uint64_t discarded_bytes = 0;            ///< given back to the host by inflation, cumulative
  std::uint64_t reported_bytes = 0;             ///< given back by free page reporting, cumulative
  std::optional<std::uint64_t> resident_bytes;  ///< what the guest takes of the host's memory
  bool on_disk = false;     ///< files of a disk are behind it: see gmem::most_given_back()
  std::string shared_with;  ///< who has some of it, too: none of that is discarded; itself: twice
  std::uint64_t host_page_bytes = 0;    ///< the largest page that backs it
  std::optional<unsigned> node;         ///< the NUMA node that its memory is bound to
  std::uint64_t pressure_messages = 0;  ///< sent by its driver, cumulative
  std::uint64_t stranded_bytes = 0;     ///< ballooned, but in a huge page that is not whole yet
  bool inhibited = false;               ///< nothing is discarded, by the operator's wish
  bool prefault = false;                ///< memory is put there before the guest gets a page back
  std::string no_prefault;              ///< why that has no effect with this VMM; else empty
  bool reporting = true;                ///< reported pages are discarded
  std::uint32_t poison_value = 0;
  HintReport hints;
  wire::Features offered;
  wire::Features acked;
  wire::BitTwo bit_two = wire::BitTwo::kDeflateOnOom;  ///< what it means in these
  std::vector<QueueReport> queues;
  std::vector<datapath::NamedCount> counters;
  std::optional<StatsReport> stats;
  std::uint64_t stats_waiting_ms = 0;  ///< how long the guest has owed an answer; 0: it does not
};

/// Takes what cannot be out of the statistics, and says by the rest how large the guest is: whoever
/// shows a report or decides by it comes after this.
/// @pre table_bytes, boot_bytes, the features and the statistics are as they were found.
void settle_figures(DeviceReport* report) noexcept;

}  // namespace vballoon::vm
