// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/to_device_queue.hpp - todevq of device 13: pages come and go, and the driver says how it
//                                and its guest are.
// Source: docs/device-13.md, 7; DEV-6 to DEV-20, DEV-23, DEV-25.
#pragma once

#include <cstdint>
#include <optional>

#include "datapath/device_queue.hpp"
#include "datapath/requests.hpp"
#include "datapath/stats_exchange.hpp"
#include "datapath/to_device_message.hpp"

namespace vballoon::datapath {

/// One message at a time, for buffers are used in order: one that adds pages may take several
/// passes, and one that asks pages back waits until they are discarded and their memory is there
/// again.
class ToDeviceQueue final : public DeviceQueue {
 public:
  /// @param resumed  the same driver goes on: an answer that it did not see is undone.
  ToDeviceQueue(Ring ring, const DeviceContext& context, Requests& requests, StatsExchange& stats,
                bool resumed);

  [[nodiscard]] bool has_work() const noexcept {
    return stage_ != Stage::kWaits && (stage_ == Stage::kAdds || ring_.has_work());
  }
  void serve() noexcept;

  /// A message waits for discards, or for memory.
  [[nodiscard]] bool waits() const noexcept { return stage_ == Stage::kWaits; }
  /// Answers it, once what it waits for has come.
  void let_go() noexcept;

 private:
  enum class Stage : std::uint8_t { kIdle, kAdds, kWaits };

  [[nodiscard]] std::uint32_t begin(virtq::Head head) noexcept;
  [[nodiscard]] std::uint32_t begin_pages() noexcept;
  [[nodiscard]] std::uint32_t begin_release() noexcept;
  void hear_stats() noexcept;
  void hear_state() noexcept;
  void hear_pressure() noexcept;
  void end(std::uint32_t written = 0) noexcept;

  [[nodiscard]] std::optional<unsigned> find_kind() const noexcept;
  [[nodiscard]] std::uint32_t add_next() noexcept;
  void add(std::uint64_t address, unsigned kind) noexcept;
  [[nodiscard]] std::uint64_t most_back(std::uint64_t most) const noexcept;
  void choose(std::uint64_t count) noexcept;
  void ask_back(reclaim::PageRun page) noexcept;
  void wait() noexcept;
  void answer_withdraw() noexcept;
  void answer_release() noexcept;
  void take_back(std::uint64_t page, unsigned kind) noexcept;
  void note_leaving() noexcept;
  void stays(reclaim::PageRun page) noexcept;
  void leaves(reclaim::PageRun page) noexcept;

  Requests& requests_;
  StatsExchange& stats_;
  Stage stage_ = Stage::kIdle;
  unsigned kind_ = 0;                    // of the message's pages
  std::size_t next_ = 0;                 // of the addresses that are to be added
  std::size_t count_ = 0;                // of these
  std::optional<reclaim::Fence> fence_;  // of what it waits for, once that is handed over
  virtq::Head head_;                     // of the message
  ToDeviceMessage message_;
};

}  // namespace vballoon::datapath
