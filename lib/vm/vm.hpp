// SPDX-License-Identifier: BSD-3-Clause
//
// vm/vm.hpp - one VM as the control thread uses it: its figures, and what can be set.
// vhost::BalloonDevice implements it. Tests have an implementation that answers at once.
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

/// The effect of set_target(), in bytes.
struct TargetSet {
  std::uint64_t target = 0;  ///< the target now; 0 for a share of a guest that is not known yet
  std::uint64_t before = 0;
  std::uint64_t guest = 0;  ///< what the guest has; 0 while no VMM is connected
};

class Vm {
 public:
  virtual ~Vm() = default;

  /// The settings with which the VM was added. The service has what was set since.
  [[nodiscard]] virtual const Settings& settings() const noexcept = 0;

  /// Costs a system call for each region of the VM's memory, and allocates nothing.
  [[nodiscard]] virtual VmFigures figures() const = 0;
  /// All that `show` tells.
  [[nodiscard]] virtual DeviceReport report() const = 0;
  /// Messages of pressure that the guest sent since the VM was added. Costs next to nothing.
  [[nodiscard]] virtual std::uint64_t pressure_messages() const noexcept = 0;

  /// Asks the guest for a balloon of this size, rounded down to 4 KiB pages. The next guest of the
  /// VM is asked for it as well: a share stays a share, a size is lowered to what that guest can
  /// give.
  /// @errors kInvalidArgument for a target above guest memory, or one that leaves the guest less
  ///         than left_to_guest() and is not forced; kUnavailable.
  virtual Result<TargetSet> set_target(const Target& target) = 0;
  /// Whether the operator's wishes so far are kept for the next daemon.
  [[nodiscard]] virtual Kept kept() const = 0;

  /// Asks the driver for fresh statistics. The answer comes later, with another sequence number.
  /// @errors kUnavailable where the driver has no statistics queue or is not running.
  virtual Result<void> request_stats() = 0;

  /// While on, no memory of the guest is discarded: the memory is pinned for a device (VFIO), or
  /// the guest is on its way to another host. The guest's buffers are served. Memory that it gives
  /// is discarded once this is off again.
  virtual void inhibit(bool on) = 0;

  /// @return the word that keep_automatic() kept, in this daemon or an earlier one; nothing where
  ///         no word is kept.
  [[nodiscard]] virtual std::optional<AutomaticWord> automatic() const = 0;
  virtual void keep_automatic(AutomaticWord word) = 0;

  /// While on, memory is put where the guest's pages were before the guest gets them back, so that
  /// its first touch does not stall. The wish is kept also after an error.
  /// @errors kUnavailable where prefault has no effect with the present VMM, because the memory
  ///         would be charged to this daemon's cgroup; or where that is not known yet.
  virtual Result<void> prefault(bool on) = 0;

  /// While off, pages that the guest reports are returned as they are, and counted as kept.
  virtual void reporting(bool on) = 0;

  /// What finding pages may cost the guest of a device 13, from the next target on.
  virtual void effort(std::uint64_t effort) = 0;

  /// Begins or ends a round of free page hints. The device only counts hints.
  /// @return free_page_hint_cmd_id, as the driver sees it now.
  /// @errors kUnavailable where the driver has no queue for hints.
  virtual Result<std::uint32_t> hint(wire::HintAction action) = 0;

  /// Moves the device to another poll lcore. The guest does not notice.
  /// @errors kInvalidArgument when there is no such poll lcore.
  virtual Result<void> move_to(unsigned lcore) = 0;

  /// Serves a VM again that was set aside because the daemon crashed while it worked for it, and
  /// forgets these crashes. Of another VM they are forgotten as well. @errors kUnavailable
  virtual Result<void> readmit() = 0;
};

}  // namespace vballoon::vm
