// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/queues.hpp - the queues of one device, each by its kind.
#pragma once

#include <memory>

#include "datapath/deflate_queue.hpp"
#include "datapath/from_device_queue.hpp"
#include "datapath/hint_queue.hpp"
#include "datapath/inflate_queue.hpp"
#include "datapath/message_queue.hpp"
#include "datapath/report_queue.hpp"
#include "datapath/stats_queue.hpp"
#include "datapath/to_device_queue.hpp"
#include "wire/queue_map.hpp"

namespace vballoon::datapath {

/// A queue that does not run is null: a pass over a device asks eight pointers of one cache line,
/// and touches the queues that run.
struct Queues {
  std::unique_ptr<InflateQueue> inflate;
  std::unique_ptr<DeflateQueue> deflate;
  std::unique_ptr<StatsQueue> stats;
  std::unique_ptr<HintQueue> hint;
  std::unique_ptr<ReportQueue> report;
  std::unique_ptr<MessageQueue> message;
  std::unique_ptr<FromDeviceQueue> from_device;
  std::unique_ptr<ToDeviceQueue> to_device;

  /// Calls visit(queue) for each that runs, in the order of their roles.
  template <typename Visit>
  void for_each(Visit visit) const {
    if (inflate != nullptr) visit(*inflate);
    if (deflate != nullptr) visit(*deflate);
    if (stats != nullptr) visit(*stats);
    if (hint != nullptr) visit(*hint);
    if (report != nullptr) visit(*report);
    if (message != nullptr) visit(*message);
    if (from_device != nullptr) visit(*from_device);
    if (to_device != nullptr) visit(*to_device);
  }

  /// The same for those that may hold buffers.
  template <typename Visit>
  void for_each_holding(Visit visit) const {
    if (inflate != nullptr) visit(*inflate);
    if (deflate != nullptr) visit(*deflate);
    if (report != nullptr) visit(*report);
  }

  /// Of the queue of this role; null while it does not run.
  [[nodiscard]] Ring* ring(wire::Role role) const noexcept;
  void close(wire::Role role) noexcept;
};

}  // namespace vballoon::datapath
