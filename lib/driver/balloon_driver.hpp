// SPDX-License-Identifier: BSD-3-Clause
//
// driver/balloon_driver.hpp - a virtio-balloon driver in user space.
// Thread: one owner. Every call ends by a timeout.
// Source: VIRTIO 1.2, 5.5; Linux drivers/virtio/virtio_balloon.c for what a stock driver does.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "driver/pfn_sender.hpp"
#include "driver/stats_responder.hpp"
#include "driver/virtio_driver.hpp"

namespace vballoon::driver {

struct DriverOptions : VirtioOptions {
  Numbering numbering = Numbering::kLinux;
  unsigned batch_pages = 256;  ///< page numbers a buffer
  unsigned depth = 1;          ///< inflate or deflate buffers outstanding
  std::uint32_t poison_value = 0;
  /// Bit 2 is taken for the message queue, of a device that offers neither hints nor reports.
  bool message_queue = false;
  std::vector<StatEntry> stats;  ///< empty: free and total memory, from the RAM
};

class BalloonDriver final : public VirtioDriver {
 public:
  /// Takes the device from connection to DRIVER_OK, as a VMM and its guest would.
  /// @pre     ram outlives the driver.
  /// @errors  as FrontEnd; kInvalidArgument for options that do not fit the RAM.
  [[nodiscard]] static Result<std::unique_ptr<BalloonDriver>> start(MessageSocket socket,
                                                                    const GuestRam& ram,
                                                                    DriverOptions options);

  // --- Pages. Each returns when every buffer was used. ---

  Result<void> inflate(std::span<const Pfn> pfns);
  Result<void> deflate(std::span<const Pfn> pfns);
  /// Free page reporting, at most 32 ranges a buffer.
  /// @errors kUnavailable also where the feature was not negotiated; the same for hint().
  Result<void> report(std::span<const GpaRange> ranges);
  /// One round of free page hinting: the command id as it stands, the ranges, stop.
  Result<void> hint(std::span<const GpaRange> ranges);
  /// Its parts.
  [[nodiscard]] Result<std::uint32_t> hint_command();
  Result<void> begin_hints(std::uint32_t id);
  Result<void> hint_pages(std::span<const GpaRange> ranges);
  Result<void> end_hints();

  /// Says that the guest is short of memory. @errors kUnavailable without a message queue.
  Result<void> send_pressure();

  // --- Configuration space. ---

  [[nodiscard]] Result<std::uint32_t> num_pages();
  Result<void> write_actual(std::uint32_t pages);

  /// Answers a statistics request and takes in configuration changes.
  /// @return  whether num_pages may have changed; waits for that until the deadline.
  [[nodiscard]] Result<bool> serve(Deadline deadline) { return await_config_change(deadline); }
  void set_stats(std::vector<StatEntry> entries);

  /// A guest reboot: rings stopped, negotiated again, fresh rings. The balloon is empty afterwards.
  Result<void> reset();
  Result<void> reset(DriverOptions options);

  [[nodiscard]] const DriverOptions& options() const noexcept { return options_; }
  /// What went through this queue since it was last asked for, or since the reset.
  [[nodiscard]] Traffic take_traffic(Role role) noexcept;
  [[nodiscard]] std::uint64_t stats_answered() const noexcept { return stats_->answered(); }

 private:
  BalloonDriver(MessageSocket socket, const GuestRam& ram, DriverOptions options);

  [[nodiscard]] const VirtioOptions& virtio_options() const noexcept override { return options_; }
  [[nodiscard]] QueueNumbers numbers() const noexcept override;
  [[nodiscard]] unsigned indirect_entries(Role role) const noexcept override;
  Result<void> lay_out_buffers(Arena& arena) override;
  Result<void> prepare() override;
  void serve_requests() override;

  [[nodiscard]] bool messages_agreed() const noexcept;
  Result<void> send_one(Role role, std::span<const Segment> segments);
  Result<void> send_word(Role role, std::uint32_t word);
  [[nodiscard]] Result<std::uint32_t> read_word(std::uint32_t offset);
  Result<void> write_word(std::uint32_t offset, std::uint32_t value);
  [[nodiscard]] Traffic& traffic(Role role) noexcept;

  DriverOptions options_;
  // Set by lay_out_buffers(), again at each reset.
  std::optional<PfnSender> inflate_;
  std::optional<PfnSender> deflate_;
  std::optional<StatsResponder> stats_;
  Gpa scratch_;                          // 64 bytes for command ids and messages
  std::array<Traffic, kRoles> traffic_;  // of the queues without a PfnSender
};

}  // namespace vballoon::driver
