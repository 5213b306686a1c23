// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/session.hpp - all that a VMM has said and given on its connection, as values. Each
//                     connection begins with a new session, so nothing is left of the one before.
// Thread: the device's lock guards all of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "vhost/backend_channel.hpp"
#include "vhost/inflight_region.hpp"
#include "vhost/log_mapping.hpp"
#include "vhost/memory_claims.hpp"
#include "vm/guest.hpp"
#include "wire/vhost_user.hpp"

namespace vballoon::vhost {

/// A memory table as the VMM sent it, region by region.
struct MemoryTable {
  std::vector<wire::MemoryRegion> regions;
  std::vector<ClaimedRegion> files;
};

/// The guest's memory as the VMM shares it. MemoryControl sets all but `lost` and `no_prefault`.
struct SharedMemory {
  enum class Table : std::uint8_t {
    kNone,     ///< no table came yet, or a message is changing it
    kMissing,  ///< the newest table could not be taken
    kTaken,
  };
  Table table = Table::kNone;
  /// Some of the memory is gone: no ring is served any more, whatever table comes.
  bool lost = false;
  MemoryTable taken;                   ///< the table that librte_vhost has mapped
  MemoryTable next;                    ///< the table of the message at hand
  pid_t claimed_by = 0;                ///< the process whose memory it is; 0: not known
  std::vector<ClaimedRegion> claimed;  ///< the claims, in the order of the memory map's regions
  std::uint32_t shared = 0;            ///< a bit for each of these that others claim as well
  std::string shared_with;             ///< one of these others
  std::optional<unsigned> home_node;   ///< the NUMA node that the memory is bound to
  std::string no_prefault;             ///< why prefault has no effect; else empty
};

struct Session {
  vm::Guest guest;
  SharedMemory memory;
  InflightRegion inflight;
  UniqueFd lent;   ///< the descriptor that goes with a reply
  LogMapping log;  ///< mapped by DirtyLog
  BackendChannel channel;
  /// The VMM gave up PROTOCOL_FEATURES, and with that SET_VRING_ENABLE, by which VMMs take a ring
  /// away. So it may take its rings away without a word.
  bool ends_unsaid = false;
  bool told_of_legacy = false;
  /// What an earlier daemon heard on the connection is being repeated; nothing is served yet.
  bool restores = false;
};

}  // namespace vballoon::vhost
