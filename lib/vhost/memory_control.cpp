// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/memory_control.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "vhost/home_node.hpp"
#include "vhost/memory_table.hpp"
#include "vhost/message_check.hpp"

namespace vballoon::vhost {
namespace {

/// librte_vhost compares no more than this: vhost_memory_changed() in DPDK lib/vhost/vhost_user.c.
bool same_addresses(const wire::MemoryRegion& one, const wire::MemoryRegion& other) noexcept {
  return one.guest_address == other.guest_address && one.size == other.size &&
         one.user_address == other.user_address;
}

}  // namespace

Claimant MemoryControl::claimant() const {
  return {notices_.name(), session_.memory.claimed_by, balloon_.config().large().has_value()};
}

Result<void> MemoryControl::claim(const Message& message, pid_t process) {
  MemoryTable& next = memory().next;
  next = {};
  for (std::size_t i = 0; i < message.region_count(); ++i) {
    const wire::MemoryRegion text = message.region(i);
    auto region = ClaimedRegion::of(message.fd(i), text.mmap_offset, text.size);
    if (!region) return tl::unexpected(region.error());
    next.regions.push_back(text);
    next.files.push_back(*region);
  }
  if (auto ok = check_other_files(); !ok) return ok;
  if (auto ok = claims_.check(notices_.name(), next.files); !ok) return ok;
  if (auto ok = check_mappings(message); !ok) return ok;
  // What an earlier daemon heard is repeated by this process.
  if (!session_.restores) memory().claimed_by = process;
  return claims_.claim(claimant(), next.files);
}

/// librte_vhost takes a table with the addresses of the last table for the last table: it closes
/// the new files and tells the VMM that all is well. The guest would be served in its old files,
/// and pages of these would be discarded.
Result<void> MemoryControl::check_other_files() const {
  const MemoryTable& taken = session_.memory.taken;
  const MemoryTable& next = session_.memory.next;
  const bool taken_for_the_last = std::ranges::equal(taken.regions, next.regions, same_addresses);
  if (!taken_for_the_last || taken.files == next.files) return {};
  return fail(
      Code::kInvalidArgument,
      "a memory table with other files at the same addresses, which needs a new connection");
}

void MemoryControl::let_go_of_table() noexcept {
  memory().table = SharedMemory::Table::kNone;
  watch_.clear();
}

void MemoryControl::take_table(int vid) {
  if (memory().table == SharedMemory::Table::kMissing) return;
  auto map = load_memory_table(vid);
  if (!map) {
    miss_table();
    return notices_.warn(map.error().message);
  }
  if (auto watched = watch_.watch(**map); !watched) return notices_.warn(watched.error().message);
  gmem::keep_out_of_core(**map);
  memory().home_node = home_node(**map);
  if (memory().home_node) attachment_.prefer_node(*memory().home_node);
  session_.guest.boot_bytes = gmem::boot_bytes(**map);
  restart_.take_memory(std::move(*map));
  memory().table = SharedMemory::Table::kTaken;
  memory().taken = std::exchange(memory().next, {});
  note_claimed();
  look_at_shares();
}

void MemoryControl::note_claimed() {
  memory().claimed.clear();
  for (const gmem::Region& region : balloon_.path().memory()->regions()) {
    const auto claimed = ClaimedRegion::of(region.fd.get(), region.file_offset, region.bytes);
    memory().claimed.push_back(claimed.value_or(ClaimedRegion{}));
  }
  memory().shared = 0;
}

void MemoryControl::look_at_shares() {
  claims_seen_ = claims_.generation();
  // While a message changes the table, there is none to look at. take_table() looks at the new one.
  if (!table_taken()) return;
  const std::vector<ClaimedRegion>& claimed = memory().claimed;
  std::uint32_t shared = 0;
  std::string with;
  for (std::size_t i = 0; i < claimed.size(); ++i) {
    const std::string other = claims_.also_of(claimant(), claimed[i]);
    if (other.empty()) continue;
    shared |= std::uint32_t{1} << i;
    if (with.empty() || other != notices_.name()) with = other;
  }
  memory().shared_with = with;
  if (std::exchange(memory().shared, shared) == shared) return;
  attachment_.take_back();
  balloon_.path().keep_regions(shared);
  attachment_.hand_over();
  if (shared == 0) return;
  notices_.warn(
      fmt::format("memory of its guest is also that of {}; none of that is discarded",
                  with == notices_.name() ? "another region of the same guest" : "'" + with + "'"));
}

}  // namespace vballoon::vhost
