// SPDX-License-Identifier: BSD-3-Clause
#include "wire/stats.hpp"

#include <cstring>

namespace vballoon::wire {
namespace {

constexpr std::array<std::string_view, kKnownStats> kStatNames{
    "swap_in_bytes",       "swap_out_bytes",    "major_faults",        "minor_faults",
    "free_bytes",          "total_bytes",       "available_bytes",     "disk_caches_bytes",
    "hugetlb_allocations", "hugetlb_failures",  "oom_kills",           "alloc_stalls",
    "async_scan_bytes",    "direct_scan_bytes", "async_reclaim_bytes", "direct_reclaim_bytes"};

}  // namespace

std::string_view stat_name(StatTag tag) noexcept {
  return kStatNames[static_cast<std::size_t>(tag)];
}

std::optional<std::uint64_t> StatsSample::get(StatTag tag) const noexcept {
  const auto t = static_cast<unsigned>(tag);
  if (((present >> t) & 1) == 0) return std::nullopt;
  return values[t];
}

void StatsSample::set(std::uint16_t tag, std::uint64_t value) noexcept {
  if (tag >= kKnownStats) return add_unknown(tag, value);
  values[tag] = value;
  present |= 1U << tag;
}

void StatsSample::drop(StatTag tag) noexcept {
  const std::uint32_t bit = present & (1U << static_cast<unsigned>(tag));
  present &= ~bit;
  nonsense |= bit;
}

void StatsSample::add_unknown(std::uint16_t tag, std::uint64_t value) noexcept {
  ++unknown_tags;
  for (std::uint32_t i = 0; i < unknown_count; ++i) {
    if (unknown[i].tag != tag) continue;
    unknown[i].value = value;
    return;
  }
  if (unknown_count == unknown.size()) {
    ++left_out;
  } else {
    unknown[unknown_count++] = {tag, value};
  }
}

StatsSample decode_stats(std::span<const std::byte> bytes) noexcept {
  StatsSample sample;
  for (; bytes.size() >= kStatEntryBytes; bytes = bytes.subspan(kStatEntryBytes)) {
    std::uint16_t tag = 0;
    std::uint64_t value = 0;
    std::memcpy(&tag, bytes.data(), sizeof(tag));
    std::memcpy(&value, bytes.data() + sizeof(tag), sizeof(value));
    sample.set(tag, value);
  }
  return sample;
}

void drop_nonsense(std::uint64_t memory, StatsSample* sample) noexcept {
  constexpr std::uint64_t kNegative = std::uint64_t{1} << 63;
  for (std::size_t tag = 0; tag < kKnownStats; ++tag) {
    if (sample->values[tag] >= kNegative) sample->drop(static_cast<StatTag>(tag));
  }
  const std::uint64_t most = memory == 0 ? UINT64_MAX : memory;
  if (const auto total = sample->get(StatTag::kTotal); total && (*total == 0 || *total > most)) {
    sample->drop(StatTag::kTotal);
  }
  const std::uint64_t whole = sample->get(StatTag::kTotal).value_or(most);
  for (const StatTag part : {StatTag::kFree, StatTag::kAvailable, StatTag::kDiskCaches}) {
    if (sample->get(part).value_or(0) > whole) sample->drop(part);
  }
}

}  // namespace vballoon::wire
