// SPDX-License-Identifier: BSD-3-Clause
//
// driver/large_balloon_driver.hpp - a driver of the balloon of large pages, in user space.
// Thread: one owner. Every call ends by a timeout.
// Source: docs/device-13.md; sections and clauses are that document's.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "driver/histogram.hpp"
#include "driver/large_page_set.hpp"
#include "driver/large_sender.hpp"
#include "driver/request_buffers.hpp"
#include "driver/virtio_driver.hpp"
#include "wire/large_balloon.hpp"

namespace vballoon::driver {

struct LargeOptions : VirtioOptions {
  unsigned max_pages = 0;  ///< addresses in one message; 0: as many as the device takes
  unsigned depth = 1;      ///< messages outstanding
  RequestShape requests;
  std::vector<wire::large::Stat> stats;  ///< empty: free and total memory, and the balloon
};

/// The last RESIZE.
struct LargeTarget {
  std::uint64_t units = 0;
  wire::large::Effort effort = wire::large::Effort::kFree;
  std::uint32_t serial = 0;
};

/// What went through todevq as messages of one kind.
struct LargeTraffic {
  std::uint64_t messages = 0;
  std::uint64_t pages = 0;  ///< of any size: added, or handed back
  std::uint64_t bytes = 0;
  Histogram latency;  ///< a message's way from available to used
};

/// What a device made of a message that no driver sends.
struct RawAnswer {
  std::uint32_t written = 0;       ///< as the device says
  std::vector<std::byte> bytes{};  ///< all that it could write to, as it is now
};

class LargeBalloonDriver final : public VirtioDriver {
 public:
  /// Takes the device from connection to DRIVER_OK, as a VMM and its guest would.
  /// @pre     ram outlives the driver.
  /// @errors  as FrontEnd; kInvalidArgument for options that do not fit the RAM, and for a device
  ///          whose configuration cannot be; kUnavailable for one without VERSION_1 (DRV-1).
  [[nodiscard]] static Result<std::unique_ptr<LargeBalloonDriver>> start(MessageSocket socket,
                                                                         const GuestRam& ram,
                                                                         LargeOptions options);

  // --- Pages. Each returns when every message was used. ---

  /// @param shift  of each of them.
  Result<void> add(std::span<const Gpa> pages, unsigned shift);
  /// Asks for so many, until they are there or an answer has less than its room.
  /// @return  those that are the driver's now, in the order in which they came.
  [[nodiscard]] Result<std::vector<Gpa>> withdraw(std::size_t pages, unsigned shift);
  /// @return  how many of them were handed back, the first ones.
  /// @errors  kUnavailable without RELEASE.
  [[nodiscard]] Result<std::size_t> release(std::span<const Gpa> pages, unsigned shift);

  // --- What else the driver says. @errors kUnavailable without the feature. ---

  Result<void> send_state(wire::large::Reason reason, const wire::large::State& state);
  Result<void> send_pressure(wire::large::Level level, const wire::large::Pressure& pressure);
  /// Without being asked; requests are answered by themselves. Waits until all answers are used.
  Result<void> send_stats();
  void set_stats(std::vector<wire::large::Stat> stats) { options_.stats = std::move(stats); }

  // --- Requests. Served in their order, whenever the driver waits for something. ---

  /// Waits for a RESIZE until the deadline. @return whether one came that target() did not have.
  [[nodiscard]] Result<bool> serve(Deadline deadline);
  /// Nothing before the first RESIZE.
  [[nodiscard]] const std::optional<LargeTarget>& target() const noexcept { return target_; }
  /// RESIZE requests since the last reset.
  [[nodiscard]] std::uint64_t resizes() const noexcept { return resizes_; }
  [[nodiscard]] std::uint64_t stats_answered() const noexcept { return stats_answered_; }

  // --- Messages that no driver sends. The plain set does not hear of their pages. ---

  /// @param readable  the message from its header on; @param room  bytes behind it, writable.
  [[nodiscard]] Result<RawAnswer> exchange(std::span<const std::byte> readable, std::uint32_t room);
  /// The same, of any segments. @return the used length.
  [[nodiscard]] Result<std::uint32_t> exchange(std::span<const Segment> segments);
  /// Room for both, in the arena.
  [[nodiscard]] Gpa scratch() const noexcept { return scratch_; }
  static constexpr std::uint64_t kScratchBytes = 16 * kKiB;

  /// A guest reboot: rings stopped, negotiated again, fresh rings. The balloon is empty afterwards.
  Result<void> reset() { return reset(options_); }
  Result<void> reset(LargeOptions options);

  [[nodiscard]] const LargeOptions& options() const noexcept { return options_; }
  /// Fields whose bit was not taken are as they are in a plain device (DRV-2).
  [[nodiscard]] const wire::large::Config& config() const noexcept { return config_; }
  [[nodiscard]] bool took(wire::large::Feature feature) const noexcept;
  /// Shifts of the pages that the device takes, the largest first.
  [[nodiscard]] std::vector<unsigned> sizes() const;
  /// The plain set.
  [[nodiscard]] LargePageSet& balloon() noexcept { return balloon_; }
  [[nodiscard]] const LargePageSet& balloon() const noexcept { return balloon_; }
  [[nodiscard]] std::uint64_t to_units(std::uint64_t bytes) const noexcept {
    return bytes >> config_.page_shift;
  }
  /// What went through since it was last asked for.
  [[nodiscard]] LargeTraffic take_traffic(MessageKind kind) noexcept;
  /// Of the virtqueues, and of answers that cannot be.
  [[nodiscard]] Violations violations() const noexcept {
    return VirtioDriver::violations() + answers_;
  }

 private:
  LargeBalloonDriver(MessageSocket socket, const GuestRam& ram, LargeOptions options);

  [[nodiscard]] const VirtioOptions& virtio_options() const noexcept override { return options_; }
  [[nodiscard]] QueueNumbers numbers() const noexcept override { return large_queue_numbers(); }
  [[nodiscard]] unsigned indirect_entries(Role role) const noexcept override;
  Result<void> lay_out_buffers(Arena& arena) override;
  Result<void> prepare() override;
  void serve_requests() override;

  Result<std::uint32_t> read_field(std::size_t offset);
  Result<void> read_fields();
  void accept(const Used& used);
  void on_request(const wire::large::Request& request);
  void answer_stats();
  [[nodiscard]] std::vector<wire::large::Stat> stats() const;
  [[nodiscard]] std::size_t pages_a_message() const noexcept;
  [[nodiscard]] wire::large::Header header(wire::large::MessageType type,
                                           std::uint16_t detail = 0) const noexcept;
  [[nodiscard]] LargeMessage of_pages(MessageKind kind, std::span<const Gpa> pages,
                                      unsigned shift) const noexcept;
  void post(const LargeMessage& message);
  [[nodiscard]] Result<Used> await_message();
  Result<void> settle_until_ready();
  [[nodiscard]] Result<LargeAnswer> next_answer();
  [[nodiscard]] Result<LargeAnswer> round_trip(const LargeMessage& message);
  Result<void> tell(MessageKind kind, const wire::large::Header& header,
                    std::span<const std::byte> body);
  [[nodiscard]] LargeAnswer settle(const Used& used);
  void check_length(const LargeAnswer& answer) noexcept;
  [[nodiscard]] std::vector<Gpa> take_handed_back(const LargeAnswer& answer);

  LargeOptions options_;
  wire::large::Config config_;
  LargePageSet balloon_;
  // Set by lay_out_buffers(), again at each reset.
  std::optional<RequestBuffers> requests_;
  std::optional<LargeSender> sender_;
  Gpa scratch_;
  std::optional<LargeTarget> target_;
  std::uint64_t resizes_ = 0;
  std::deque<std::uint32_t> stats_wanted_;  // serials of requests that have no answer yet
  bool waiting_ = false;                    // await_message() takes what comes back
  std::uint64_t stats_answered_ = 0;
  std::array<LargeTraffic, kMessageKinds> traffic_;
  Violations answers_;
};

}  // namespace vballoon::driver
