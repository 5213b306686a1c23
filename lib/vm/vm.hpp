// SPDX-License-Identifier: BSD-3-Clause
//
// vm/vm.hpp - one VM as the control thread has it: what is asked of a VM, and what it is told.
// vhost's BalloonDevice is one; the tests have another one that answers at once.
// Thread: the control thread only. No call waits on a guest.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.hpp"
#include "datapath/config_space.hpp"
#include "vm/figures.hpp"
#include "vm/report.hpp"
#include "vm/settings.hpp"
#include "vm/state/device_state.hpp"
#include "vm/target.hpp"

namespace vballoon::vm {

/// What became of a wish for a size. In bytes.
struct TargetSet {
  std::uint64_t target = 0;  ///< as it now stands; of a share of a guest that is not known yet, 0
  std::uint64_t before = 0;
  std::uint64_t guest = 0;  ///< what the guest has; 0 while no VMM is connected
};

class Vm {
 public:
  virtual ~Vm() = default;

  /// As they were when it was added: the service keeps what has been set since.
  [[nodiscard]] virtual const Settings& settings() const noexcept = 0;

  /// Costs a system call for each region of its memory, and allocates nothing.
  [[nodiscard]] virtual VmFigures figures() const = 0;
  /// All that there is to show.
  [[nodiscard]] virtual DeviceReport report() const = 0;
  /// What its guest sent since it was added. Costs next to nothing.
  [[nodiscard]] virtual std::uint64_t pressure_messages() const noexcept = 0;

  /// Asks the guest for a balloon of this size, rounded down to 4 KiB pages. It is kept for the
  /// next guest as well: a share as a share, a size lowered to what that can give.
  /// @errors kInvalidArgument above guest memory, or where that leaves the guest less than
  ///         left_to_guest() and is not forced; kUnavailable.
  virtual Result<TargetSet> set_target(const Target& target) = 0;
  /// Whether what was asked for so far is there for the next daemon.
  [[nodiscard]] virtual Kept kept() const = 0;

  /// Asks the driver for fresh statistics. The answer arrives later, with another sequence.
  /// @errors kUnavailable where the driver has no statistics queue or is not running.
  virtual Result<void> request_stats() = 0;

  /// While on, no memory of the guest is discarded: it is pinned for a device (VFIO), or on its way
  /// to another host. Its buffers are served; what it gives is discarded once this is off again.
  virtual void inhibit(bool on) = 0;

  /// What an earlier daemon, or this one, was told to keep; nothing where that is not possible.
  [[nodiscard]] virtual std::optional<AutomaticWord> automatic() const = 0;
  virtual void keep_automatic(AutomaticWord word) = 0;

  /// While on, memory is put where the guest's pages were before it gets them back, so that its
  /// first touch does not stall. The wish stays, whatever is returned.
  /// @errors kUnavailable where it has no effect with the VMM that is connected, for its memory
  ///         would be charged to this daemon's cgroup; or where that is not known yet.
  virtual Result<void> prefault(bool on) = 0;

  /// While off, what the guest reports is returned to it as it is, and counted as kept.
  virtual void reporting(bool on) = 0;

  /// Begins a round of free page hints, or ends it. Hints are counted, nothing else.
  /// @return free_page_hint_cmd_id as the driver now sees it.
  /// @errors kUnavailable where the driver has no queue for hints.
  virtual Result<std::uint32_t> hint(wire::HintAction action) = 0;

  /// Has another poll lcore serve it; its guest notices nothing.
  /// @errors kInvalidArgument for the lcore.
  virtual Result<void> move_to(unsigned lcore) = 0;
};

}  // namespace vballoon::vm
