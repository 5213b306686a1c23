// SPDX-License-Identifier: BSD-3-Clause
//
// vm/report.hpp - all that `show` tells of one VM at one moment: its figures, and values that
//                 nothing decides by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/size_histogram.hpp"
#include "datapath/counters.hpp"
#include "vm/figures.hpp"
#include "vm/restarts.hpp"
#include "wire/node_stats.hpp"

namespace vballoon::vm {

/// One virtqueue as the operator sees it.
struct QueueReport {
  unsigned index = 0;
  std::string_view role;    ///< "inflate", "deflate", "stats", "hint", "report", "message"
  std::string_view state;   ///< "stopped", "running", "broken"
  std::string_view reason;  ///< why it is broken, else empty
  unsigned size = 0;        ///< descriptors
  std::uint64_t buffers = 0;
};

/// How far free page hinting came.
struct HintReport {
  std::string_view state;        ///< "idle", "stopped", "asked", "running" or "complete"
  std::uint32_t command_id = 0;  ///< free_page_hint_cmd_id, as the driver sees it
  std::uint64_t bytes = 0;       ///< memory that was hinted in the newest round
};

/// What the driver of a device 13 said last of itself: its claims.
struct DriverReport {
  std::string_view reason;  ///< "reached", "working", "exhausted", "no_node", "withheld", "oom",
                            ///< "leaving", or "unknown"
  std::uint64_t size_bytes = 0;
  std::uint64_t target_bytes = 0;
  std::uint32_t longest_us = 0;  ///< to find one page, since it spoke before
  bool newest_target = false;    ///< it is about the target that it was told last
  std::uint64_t age_ms = 0;
};

struct DeviceReport : VmFigures {
  bool forced = false;       ///< the target may leave the guest less than left_to_guest()
  bool kept = false;         ///< the operator's wishes are kept for the next daemon
  std::string why_not_kept;  ///< empty where nothing has to be kept
  Restarts restarts;
  std::string why_not_outlives;  ///< why its connection ends with the daemon; empty: it does not
  std::string shared_with;  ///< a VM (may be this one) with the same memory: it is not discarded
  bool prefault = false;    ///< memory is put where a page was before the guest gets it back
  std::string no_prefault;  ///< why prefault has no effect with this VMM; else empty
  bool reporting = true;    ///< pages of reports are discarded
  std::uint32_t poison_value = 0;
  HintReport hints;
  wire::NodeSample nodes;  ///< of a device of large pages, what came with `stats` or later
  std::optional<DriverReport> driver;  ///< nothing: the stock device, or it has not spoken
  /// Of the guest's memory, what its VMM maps such that no huge page can be behind it.
  std::uint64_t never_huge_bytes = 0;
  wire::Features offered;
  std::vector<QueueReport> queues;
  std::vector<datapath::NamedCount> counters;
  SizeHistogram::Counts holes;  ///< punched for what was inflated or reported
};

}  // namespace vballoon::vm
