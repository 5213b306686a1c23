// SPDX-License-Identifier: BSD-3-Clause
//
// vm/guest_stats.hpp - statistics are asked of a guest's driver, which may owe them.
// Source: VIRTIO 1.2, 5.5.6.3.
// Thread: the device's lock guards all of it.
#pragma once

#include <cstdint>

#include "datapath/data_path.hpp"
#include "vm/stats_patience.hpp"

namespace vballoon::vm {

class GuestStats {
 public:
  /// @param path  outlives this.
  explicit GuestStats(datapath::DataPath& path) noexcept : path_(path) {}

  /// The statistics queue is about to be served. @param resumed  by the driver that was served
  /// before; what another one said is about another guest. @pre the path is off its lcore
  void start(bool resumed) noexcept;
  /// @pre the statistics queue runs
  void request() noexcept;
  /// How long the driver has owed an answer; 0 where it does not. A ring that is stopped, as in a
  /// VM that is paused, owes none.
  [[nodiscard]] std::uint64_t waiting_ms() const noexcept;
  /// The VMM is gone.
  void release() noexcept { patience_.forget(); }

 private:
  datapath::DataPath& path_;
  StatsPatience patience_;
};

}  // namespace vballoon::vm
