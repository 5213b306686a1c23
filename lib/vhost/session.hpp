// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/session.hpp - all that a VMM has said and given on its connection, as values. A new
//                     connection begins with a new one, so nothing is left of the one before.
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

/// As the VMM sent it, region by region.
struct MemoryTable {
  std::vector<wire::MemoryRegion> regions;
  std::vector<ClaimedRegion> files;
};

/// The guest's memory as the VMM shares it. MemoryControl's.
struct SharedMemory {
  enum class Table : std::uint8_t {
    kNone,     ///< none came yet, or one is being changed
    kMissing,  ///< the newest one could not be taken
    kTaken,
  };
  Table table = Table::kNone;
  /// Some of it is gone: nothing is served any more, whatever table comes.
  bool lost = false;
  MemoryTable taken;                   ///< what librte_vhost has mapped
  MemoryTable next;                    ///< of the message at hand
  std::vector<ClaimedRegion> claimed;  ///< as the regions of the memory map are
  std::uint32_t shared = 0;            ///< of these, those that others claim, too: a bit each
  std::string shared_with;             ///< one of the others
  std::optional<unsigned> home_node;   ///< that it is bound to
  std::string no_prefault;             ///< why that has no effect; else empty
};

struct Session {
  vm::Guest guest;  ///< RingControl's and vm::Restart's
  SharedMemory memory;
  InflightRegion inflight;
  UniqueFd lent;   ///< travels with a reply
  LogMapping log;  ///< DirtyLog's
  BackendChannel channel;
  /// The VMM let PROTOCOL_FEATURES go, and with it SET_VRING_ENABLE to take a ring away with.
  bool ends_unsaid = false;
  bool told_of_legacy = false;
};

}  // namespace vballoon::vhost
