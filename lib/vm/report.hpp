// SPDX-License-Identifier: BSD-3-Clause
//
// vm/report.hpp - all that a person is told of one VM at one moment: its figures, and beside them
// what nothing decides by.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "datapath/counters.hpp"
#include "vm/figures.hpp"

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

/// Free page hinting, as far as it went.
struct HintReport {
  std::string_view state;        ///< "idle", "stopped", "asked", "running" or "complete"
  std::uint32_t command_id = 0;  ///< as the driver sees it
  std::uint64_t bytes = 0;       ///< hinted in the newest round
};

struct DeviceReport : VmFigures {
  bool forced = false;  ///< the target stands even where it leaves next to nothing to the guest
  bool kept = false;    ///< what was asked for is there for the next daemon
  std::string why_not_kept;  ///< empty where nothing is to be kept
  std::string shared_with;   ///< the VM, or itself, that has some of its memory, too: not discarded
  bool prefault = false;     ///< memory is put there before the guest gets a page back
  std::string no_prefault;   ///< why that has no effect with this VMM; else empty
  bool reporting = true;     ///< reported pages are discarded
  std::uint32_t poison_value = 0;
  HintReport hints;
  wire::Features offered;
  std::vector<QueueReport> queues;
  std::vector<datapath::NamedCount> counters;
};

}  // namespace vballoon::vm
