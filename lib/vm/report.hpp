// SPDX-License-Identifier: BSD-3-Clause
//
// vm/report.hpp - all that `show` tells of one VM at one moment: its figures, and values that
//                 nothing decides by.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "datapath/counters.hpp"
#include "vm/figures.hpp"
#include "vm/restarts.hpp"

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
  wire::Features offered;
  std::vector<QueueReport> queues;
  std::vector<datapath::NamedCount> counters;
};

}  // namespace vballoon::vm
