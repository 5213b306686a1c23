// SPDX-License-Identifier: BSD-3-Clause
//
// vm/guest_stats.hpp - asks a guest's driver for statistics, and tells how long it has owed them.
// Source: VIRTIO 1.2, 5.5.6.3.
// Thread: the device's lock guards all of it.
#pragma once

#include <cstdint>

#include "datapath/data_path.hpp"
#include "vm/stats_patience.hpp"

namespace vballoon::vm {

class GuestStats {
 public:
  /// @param path  outlives this object.
  /// @param role  of the queue by which it is asked.
  explicit GuestStats(datapath::DataPath& path, wire::Role role = wire::Role::kStats) noexcept
      : path_(path), role_(role) {}
  [[nodiscard]] wire::Role role() const noexcept { return role_; }

  /// The statistics queue is about to be served.
  /// @param resumed  the driver is the one that was served before. The statistics of another driver
  ///                 are about another guest, and are forgotten.
  /// @pre the path is off its lcore
  void start(bool resumed) noexcept;
  /// @pre the statistics queue runs
  void request() noexcept;
  /// @return how long the driver has owed an answer; 0 where it owes none. While its ring is
  ///         stopped, as in a paused VM, it owes none.
  [[nodiscard]] std::uint64_t waiting_ms(std::uint64_t now_ms) const noexcept;
  /// The VMM is gone.
  void release() noexcept { patience_.forget(); }

 private:
  datapath::DataPath& path_;
  const wire::Role role_;
  StatsPatience patience_;
};

}  // namespace vballoon::vm
