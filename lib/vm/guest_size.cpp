// SPDX-License-Identifier: BSD-3-Clause
#include "vm/guest_size.hpp"

#include <algorithm>

namespace vballoon::vm {

GuestSize guest_size(const SizeClues& clues) noexcept {
  if (clues.table == 0) return {};
  if (!clues.total) return {clues.table, SizeSource::kMemoryTable};
  const std::uint64_t room = clues.table - std::min(clues.table, *clues.total);
  const std::uint64_t said = clues.table - room + std::min(clues.apart, room);
  const std::uint64_t bytes = std::max(said, std::min(clues.boot, clues.table));
  return {bytes, bytes < clues.table ? SizeSource::kStatistics : SizeSource::kMemoryTable};
}

std::string_view source_name(SizeSource source) noexcept {
  switch (source) {
    case SizeSource::kNothing:
      return "";
    case SizeSource::kMemoryTable:
      return "memory_table";
    case SizeSource::kStatistics:
      return "statistics";
  }
  return "";
}

}  // namespace vballoon::vm
