// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_memory.cpp - a guest's memory as its VMM hands it over.
// Source: vhost-user protocol, "Memory region description".
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "vhost/balloon_device.hpp"
#include "vhost/home_node.hpp"
#include "vhost/memory_table.hpp"
#include "vhost/message_check.hpp"

namespace vballoon::vhost {
namespace {

/// librte_vhost looks no further: vhost_memory_changed() in DPDK lib/vhost/vhost_user.c.
bool same_addresses(const wire::MemoryRegion& one, const wire::MemoryRegion& other) noexcept {
  return one.guest_address == other.guest_address && one.size == other.size &&
         one.user_address == other.user_address;
}

}  // namespace

/// Judged before anything of it is mapped. What was claimed before stands where this is refused.
Result<void> BalloonDevice::claim_memory(const Message& message) {
  next_table_ = {};
  for (std::size_t i = 0; i < message.region_count(); ++i) {
    const wire::MemoryRegion text = message.region(i);
    auto region = ClaimedRegion::of(message.fd(i), text.mmap_offset, text.size);
    if (!region) return tl::unexpected(region.error());
    next_table_.regions.push_back(text);
    next_table_.files.push_back(*region);
  }
  if (auto ok = check_other_files(); !ok) return ok;
  if (auto ok = claims_.check(spec_.name, next_table_.files); !ok) return ok;
  if (auto ok = check_mappings(message); !ok) return ok;
  return claims_.claim(spec_.name, next_table_.files);
}

/// librte_vhost takes a table with the addresses of the last one for that, closes the new files and
/// says that all is well: the guest would be served, and discarded from, in its old ones.
Result<void> BalloonDevice::check_other_files() const {
  const bool taken_for_the_last =
      std::ranges::equal(table_.regions, next_table_.regions, same_addresses);
  if (!taken_for_the_last || table_.files == next_table_.files) return {};
  return fail(
      Code::kInvalidArgument,
      "a memory table with other files at the same addresses, which needs a new connection");
}

void BalloonDevice::load_memory() {
  auto memory = load_memory_table(*vid_);
  table_missing_ = !memory;
  if (!memory) return warn(memory.error().message);
  if (auto watched = watch_.watch(**memory); !watched) return warn(watched.error().message);
  gmem::keep_out_of_core(**memory);
  home_node_ = home_node(**memory);
  if (home_node_) seat_.prefer_node(*home_node_);
  boot_bytes_ = gmem::boot_bytes(**memory);
  take_memory(std::move(*memory));
  memory_valid_ = true;
  table_ = std::move(next_table_);
  claimed_.clear();
  for (const gmem::Region& region : path_.memory()->regions()) {
    const auto claimed = ClaimedRegion::of(region.fd.get(), region.file_offset, region.bytes);
    claimed_.push_back(claimed.value_or(ClaimedRegion{}));
  }
  shared_ = 0;
  look_at_shares();
  settle_prefault();
  show_target();
  provide_tables();
}

/// A page that another VM has, too, or the guest at another address, is not discarded for this one.
/// What had to stay for that goes when the guest gives it again: a guest that started over without
/// a word may be using what is in the ledger.
void BalloonDevice::look_at_shares() {
  claims_seen_ = claims_.generation();
  // While a message changes it, it is looked at afterwards.
  if (!memory_valid_) return;
  std::uint32_t shared = 0;
  std::string with;
  for (std::size_t i = 0; i < claimed_.size(); ++i) {
    const std::string other = claims_.also_of(spec_.name, claimed_[i]);
    if (other.empty()) continue;
    shared |= std::uint32_t{1} << i;
    if (with.empty() || other != spec_.name) with = other;
  }
  shared_with_ = with;
  const std::uint32_t before = std::exchange(shared_, shared);
  if (shared == before) return;
  take_back();
  path_.keep_regions(shared);
  hand_over();
  if (shared != 0) {
    warn(fmt::format("memory of its guest is also that of {}; none of that is discarded",
                     with == spec_.name ? "another region of the same guest" : "'" + with + "'"));
  }
}

/// Answered here: librte_vhost has no log, and so marks nothing. The answer has no payload.
rte_vhost_msg_result BalloonDevice::set_log(Message message) {
  suspend_all();
  forget_log();
  const auto fd = message.single_fd();
  auto mapped = fd ? LogMapping::map(*fd, message.number(0), message.number(8))
                   : fail(Code::kInvalidArgument, "a dirty log without a file descriptor");
  if (mapped) {
    if (auto watched = log_watch_.watch(mapped->bytes()); !watched) {
      mapped = tl::unexpected(watched.error());
    }
  }
  if (!mapped) {
    warn(fmt::format("the VMM sent {}; that is refused", mapped.error().message));
    resume_suspended();
    return RTE_VHOST_MSG_RESULT_ERR;
  }
  dirty_log_ = *std::move(mapped);
  message.reply_empty();
  return RTE_VHOST_MSG_RESULT_REPLY;
}

/// @pre  No ring runs that marks in it.
void BalloonDevice::forget_log() {
  log_watch_.clear();
  dirty_log_ = {};
}

void BalloonDevice::adopt_channel(Message message) {
  const auto fd = message.single_fd();
  if (!fd || !channel_.adopt(*fd)) {
    warn(
        "the VMM's backend channel is not a UNIX socket; its guest will not be told of new "
        "targets");
  }
}

}  // namespace vballoon::vhost
