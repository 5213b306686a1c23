// SPDX-License-Identifier: BSD-3-Clause
#include "vm/guest.hpp"

#include "base/clock.hpp"
#include "base/units.hpp"

namespace vballoon::vm {

std::optional<StatsReport> newest_stats(const datapath::DataPath& path,
                                        std::uint64_t now_ms) noexcept {
  const datapath::StatsRecord stats = path.newest_stats();
  if (stats.sequence == 0) return std::nullopt;
  return StatsReport{stats.sample, stats.nodes, stats.sequence, now_ms - stats.taken_ms,
                     pages_to_bytes(stats.ballooned_pages)};
}

void find_clues(const Balloon& balloon, const Guest& guest, wire::Dialect dialect,
                VmFigures* figures) noexcept {
  figures->table_bytes = balloon.path().counters().guest_bytes.get();
  figures->boot_bytes = guest.boot_bytes;
  figures->acked = guest.acked;
  figures->dialect = dialect;
  figures->stats = newest_stats(balloon.path(), now_ms());
}

std::uint64_t guest_bytes(const Balloon& balloon, const Guest& guest,
                          wire::Dialect dialect) noexcept {
  VmFigures figures;
  find_clues(balloon, guest, dialect, &figures);
  settle(&figures);
  return figures.guest_bytes;
}

}  // namespace vballoon::vm
