// SPDX-License-Identifier: BSD-3-Clause
#include "vm/guest.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "base/units.hpp"

namespace vballoon::vm {
namespace {

void find_stats(const datapath::DataPath& path, std::uint64_t now_ms,
                std::optional<StatsReport>* stats) noexcept {
  if (path.stats().sequence() == 0) return;
  const datapath::StatsRecord record = path.stats().newest();
  // The statistics were forgotten meanwhile.
  if (record.sequence == 0) return;
  // The sample may have come after `now_ms`.
  const std::uint64_t age_ms = now_ms - std::min(now_ms, record.taken_ms);
  *stats =
      StatsReport{record.sample, record.sequence, age_ms, pages_to_bytes(record.ballooned_pages)};
}

}  // namespace

void find_clues(const Balloon& balloon, const Guest& guest, wire::Dialect dialect,
                std::uint64_t now_ms, VmFigures* figures) noexcept {
  figures->table_bytes = balloon.path().counters().guest_bytes.get();
  figures->boot_bytes = guest.boot_bytes;
  figures->acked = guest.acked;
  figures->dialect = dialect;
  find_stats(balloon.path(), now_ms, &figures->stats);
}

std::uint64_t guest_bytes(const Balloon& balloon, const Guest& guest,
                          wire::Dialect dialect) noexcept {
  VmFigures figures;
  find_clues(balloon, guest, dialect, now_ms(), &figures);
  settle(&figures);
  return figures.guest_bytes;
}

}  // namespace vballoon::vm
