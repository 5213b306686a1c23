// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/server.hpp - every balloon device of the host, by name.
// librte_vhost stays behind this header.
// Thread: any, but never the vhost event thread's callbacks nor a poll lcore.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "datapath/config_space.hpp"
#include "lcore/poller.hpp"
#include "reclaim/reclaimer.hpp"
#include "vm/report.hpp"
#include "vm/state/device_state.hpp"
#include "vm/state/folder.hpp"
#include "vm/target.hpp"
#include "wire/features.hpp"

namespace vballoon::vhost {

/// That one daemon serves; one in client mode counts as two (see room.hpp).
inline constexpr unsigned kMaxDevices = 1000;

struct DeviceSpec {
  std::string name;          ///< 1 to 64 of [A-Za-z0-9._-], the first a letter or a digit
  std::string socket;        ///< path of the UNIX socket, at most 107 bytes
  bool client = false;       ///< connect to the VMM's socket, again and again, instead of listening
  bool prefault = false;     ///< see Server::prefault()
  bool packed = true;        ///< RING_PACKED is offered
  bool page_poison = false;  ///< PAGE_POISON is
  bool indirect = false;     ///< INDIRECT_DESC is
  bool reporting = true;     ///< see Server::reporting()
  bool message_queue = false;  ///< bit 2 is MESSAGE_VQ
  std::optional<gid_t> group;  ///< may connect; nothing: the daemon's own

  [[nodiscard]] wire::Features offered() const noexcept {
    using wire::Feature;
    const auto all = message_queue ? wire::kOfferedWithMessages : wire::kOffered;
    const auto rings = packed ? all : all.without(Feature::kRingPacked);
    const auto chains = indirect ? rings.with(Feature::kIndirectDesc) : rings;
    return page_poison ? chains.with(Feature::kPagePoison) : chains;
  }
  [[nodiscard]] wire::BitTwo bit_two() const noexcept {
    return message_queue ? wire::BitTwo::kMessageVq : wire::BitTwo::kDeflateOnOom;
  }
};

/// A poll lcore and the NUMA node it is on.
struct PollSeat {
  lcore::Poller* poller = nullptr;
  unsigned node = 0;
};

/// What VMMs may claim as their guests' memory, in bytes.
struct ClaimLimits {
  std::uint64_t guest = 16 * 1024 * kGiB;  ///< one guest: more has no page numbers
  std::uint64_t total = 64 * 1024 * kGiB;  ///< all, as address space of this process
};

/// How every device's pages are given back.
struct ReclaimSettings {
  /// Node of each reclaim lcore that the pollers' engine has; empty: poll lcores discard.
  std::vector<unsigned> worker_nodes;
  reclaim::ReclaimLimits limits;
  ClaimLimits claims{};
};

class Server {
 public:
  /// @param pollers    one per poll lcore, at least one.
  /// @param discarder  with which a device that is removed gives back what it had gathered.
  /// @param folder     where targets and balloons are kept for the next daemon; null: nowhere.
  /// All outlive the server.
  Server(const std::vector<PollSeat>& pollers, const ReclaimSettings& reclaim,
         reclaim::Discarder& discarder, const vm::Folder* folder = nullptr);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Registers a socket and begins to listen (or to connect).
  /// @errors kInvalidArgument for a name or path that cannot be; kAlreadyExists for a name that is
  ///         taken or a socket on which somebody listens; kHost with the reason. A stale socket
  ///         file, on which nobody listens, is removed. kUnavailable where there are kMaxDevices,
  ///         or more than this process may have descriptors for. What fails leaves nothing behind.
  Result<void> add(const DeviceSpec& spec);

  /// Disconnects the VMM, removes the socket and what is kept of the device; the guest keeps its
  /// balloon as it is.
  Result<void> remove(std::string_view name);

  /// Both at once, for many: all or nothing. A device that is added may have the name or the socket
  /// of one that is removed.
  /// @errors those of add(), and kNotFound; then everything is as it was.
  Result<void> change(std::span<const std::string> remove, std::span<const DeviceSpec> add);

  /// Names in the order they were added.
  [[nodiscard]] std::vector<vm::DeviceReport> list() const;
  [[nodiscard]] Result<vm::DeviceReport> show(std::string_view name) const;

  /// Asks the guest for a balloon of this size, rounded down to 4 KiB pages. It is kept for the
  /// next guest as well: a share as a share, a size lowered to what that can give.
  /// @return the target as it now stands; of a share of a guest that is not known yet, 0.
  /// @errors kNotFound; kInvalidArgument above guest memory, or where that leaves the guest less
  ///         than vm::left_to_guest() and is not forced.
  Result<std::uint64_t> set_target(std::string_view name, const vm::Target& target);

  /// Whether what was asked for so far is there for the next daemon. @errors kNotFound.
  [[nodiscard]] Result<vm::Kept> kept(std::string_view name) const;

  /// Of each device the messages of pressure from its guest, since it was added.
  /// @pre visit asks nothing of the server.
  using VisitPressure = std::function<void(const std::string& name, std::uint64_t messages)>;
  void each_pressure(const VisitPressure& visit) const;

  /// Asks the driver for fresh statistics; they arrive as a StatsReport with a new sequence.
  /// @errors kNotFound; kUnavailable where the driver has no statistics queue or is not running.
  Result<void> request_stats(std::string_view name);

  /// Has another poll lcore serve a device; its guest notices nothing.
  /// @errors kNotFound for the device; kInvalidArgument for the lcore.
  Result<void> move(std::string_view name, unsigned lcore);

  /// While on, no memory of the guest is discarded: it is pinned for a device (VFIO), or on its way
  /// to another host. Its buffers are served; what it gives is discarded once this is off again.
  /// @errors kNotFound.
  Result<void> inhibit(std::string_view name, bool on);

  /// What was kept of the operator's wish that a device be automatic; nothing where none was said,
  /// or there is no state folder.
  /// @errors kNotFound.
  [[nodiscard]] Result<std::optional<vm::AutomaticWord>> automatic(std::string_view name) const;
  Result<void> keep_automatic(std::string_view name, vm::AutomaticWord word);

  /// While on, memory is put where the guest's pages were before it gets them back, so that its
  /// first touch does not stall.
  /// @errors kNotFound; kUnavailable where it has no effect with the VMM that is connected, for its
  ///         memory would be charged to this daemon's cgroup.
  Result<void> prefault(std::string_view name, bool on);

  /// While off, what the guest reports is returned to it as it is, and counted as kept.
  /// @errors kNotFound.
  Result<void> reporting(std::string_view name, bool on);

  /// Begins a round of free page hints, or ends it. Hints are counted, nothing else.
  /// @return free_page_hint_cmd_id as the driver now sees it.
  /// @errors kNotFound; kUnavailable where the driver has no queue for hints.
  Result<std::uint32_t> hint(std::string_view name, wire::HintAction action);

  /// Retries config-change notifications that a VMM's full socket refused, and closes devices whose
  /// guest's memory is gone. The control thread calls it every few tens of milliseconds; costs
  /// nothing when none is due.
  void tick();

  /// Ends every device; what is kept of it is there for the next daemon.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vballoon::vhost
