// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/counters.hpp"

namespace vballoon::datapath {

std::vector<NamedCount> named_counts(const DeviceCounters& c) {
  return {
      {"inflate_pages", c.inflate_pages.get()},
      {"deflate_pages", c.deflate_pages.get()},
      {"already_ballooned", c.already_ballooned.get()},
      {"not_ballooned", c.not_ballooned.get()},
      {"outside_memory", c.outside_memory.get()},
      {"odd_bytes", c.odd_bytes.get()},
      {"wrong_direction", c.wrong_direction.get()},
      {"bad_chains", c.bad_chains.get()},
      {"stats_samples", c.stats_samples.get()},
      {"stats_truncated", c.stats_truncated.get()},
      {"hint_pages", c.hint_pages.get()},
      {"stale_hints", c.stale_hints.get()},
      {"bad_hint_commands", c.bad_hint_commands.get()},
      {"reported_pages", c.reported_pages.get()},
      {"reports_kept", c.reports_kept.get()},
      {"pressure_messages", c.pressure_messages.get()},
      {"unknown_messages", c.unknown_messages.get()},
      {"messages_truncated", c.messages_truncated.get()},
      {"short_messages", c.short_messages.get()},
      {"short_buffers", c.short_buffers.get()},
      {"unaligned", c.unaligned.get()},
      {"in_a_ring", c.in_a_ring.get()},
      {"sizes_not_offered", c.sizes_not_offered.get()},
      {"beyond_max_pages", c.beyond_max_pages.get()},
      {"withheld", c.withheld.get()},
      {"withheld_pages", c.withheld_pages.get()},
      {"states", c.states.get()},
      {"background_pressure", c.background_pressure.get()},
      {"calls", c.calls.get()},
      {"blocked_calls", c.blocked_calls.get()},
  };
}

}  // namespace vballoon::datapath
