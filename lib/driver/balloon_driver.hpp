// SPDX-License-Identifier: BSD-3-Clause
//
// driver/balloon_driver.hpp - a virtio-balloon driver in user space.
// Thread: one owner. Every call ends by a timeout.
// Source: VIRTIO 1.2, 5.5; Linux drivers/virtio/virtio_balloon.c for what a stock driver does.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "driver/arena.hpp"
#include "driver/pfn_sender.hpp"
#include "driver/ring_set.hpp"
#include "driver/stats_responder.hpp"
#include "driver/vhost_user.hpp"
#include "wire/features.hpp"

namespace vballoon::driver {

enum class Indirect {
  kNever,
  kLinux,   ///< chains of more than one segment
  kAlways,  ///< every chain, even of one segment
};

struct DriverOptions {
  std::uint64_t features = ~std::uint64_t{0};  ///< of what the device offers, these are taken
  std::uint64_t protocol_features = ~std::uint64_t{0};  ///< likewise
  Numbering numbering = Numbering::kLinux;
  Indirect indirect = Indirect::kLinux;
  WaitMode wait = WaitMode::kInterrupt;
  unsigned queue_size = 128;
  unsigned batch_pages = 256;  ///< page numbers a buffer
  unsigned depth = 1;          ///< inflate or deflate buffers outstanding
  std::uint32_t poison_value = 0;
  /// Bit 2 is taken for the message queue, of a device that offers neither hints nor reports.
  bool message_queue = false;
  std::vector<StatEntry> stats;      ///< empty: free and total memory, from the RAM
  std::uint64_t arena_bytes = kMiB;  ///< the driver's own memory
  Gpa arena_at;
  std::chrono::milliseconds timeout{5000};  ///< for one answer or one buffer
  /// Where the next backend is when one goes away; none: that is an error.
  std::function<Result<MessageSocket>(Deadline)> reconnect;
  std::chrono::milliseconds patience{30'000};  ///< with a backend that does not come back
};

class BalloonDriver {
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
  [[nodiscard]] Result<bool> serve(Deadline deadline);
  void set_stats(std::vector<StatEntry> entries);

  // --- Life cycle. ---

  /// A guest reboot: rings stopped, negotiated again, fresh rings. The balloon is empty afterwards.
  Result<void> reset();
  Result<void> reset(DriverOptions options);
  /// A VM pause: rings stopped; resume() starts them where they were. The balloon stays.
  Result<void> pause();
  Result<void> resume();
  /// Another backend, or the same one, takes the rings over where the last one left them: it went
  /// without a word.
  Result<void> reconnect(MessageSocket socket);
  /// The VM goes on at another host's backend, where its VMM restores the configuration space.
  /// @pre  pause(), and nothing since.
  Result<void> migrate(MessageSocket socket);
  [[nodiscard]] std::uint64_t reconnections() const noexcept { return reconnections_; }
  /// Tells of memory that was plugged or unplugged, while the rings run.
  Result<void> update_memory();

  // --- What is known. ---

  [[nodiscard]] wire::Features offered() const noexcept { return offered_; }
  [[nodiscard]] wire::Features acked() const noexcept { return acked_; }
  [[nodiscard]] const DriverOptions& options() const noexcept { return options_; }
  /// Pages that must not be put into the balloon.
  [[nodiscard]] const Arena& arena() const noexcept { return *arena_; }
  [[nodiscard]] FrontEnd& front_end() noexcept { return front_end_; }
  /// @pre  The driver has such a queue.
  [[nodiscard]] DriverQueue& queue(Role role) noexcept;
  [[nodiscard]] std::optional<unsigned> queue_number(Role role) const noexcept {
    return rings_->number(role);
  }
  /// What went through this queue since it was last asked for, or since the reset.
  [[nodiscard]] Traffic take_traffic(Role role) noexcept;
  [[nodiscard]] std::uint64_t stats_answered() const noexcept { return stats_->answered(); }
  [[nodiscard]] std::uint64_t config_changes() const noexcept { return config_changes_; }
  /// Since start(), resets included.
  [[nodiscard]] Violations violations() const noexcept {
    return past_violations_ + rings_->violations();
  }
  /// Waits for one used buffer of a queue, and serves statistics meanwhile.
  [[nodiscard]] Result<Used> await(DriverQueue& queue);

 private:
  BalloonDriver(MessageSocket socket, const GuestRam& ram, DriverOptions options);

  Result<void> connect();
  Result<void> negotiate_protocol();
  Result<void> set_up();
  Result<void> lay_out();
  Result<void> write_poison();
  Result<void> start_rings();
  Result<void> tell_inflight();
  [[nodiscard]] bool messages_agreed() const noexcept;
  [[nodiscard]] bool lost() const noexcept { return options_.reconnect && front_end_.gone(); }
  Result<void> come_back();
  template <typename Ask>
  auto persist(Ask ask) -> decltype(ask());
  Result<void> send_one(Role role, std::span<const Segment> segments);
  Result<void> send_word(Role role, std::uint32_t word);
  [[nodiscard]] QueueShapes shapes() const noexcept;
  [[nodiscard]] Result<std::uint32_t> read_config(std::uint32_t offset);
  Result<void> write_config(std::uint32_t offset, std::uint32_t value);
  [[nodiscard]] Result<DriverQueue*> need(Role role);
  [[nodiscard]] Traffic& traffic(Role role) noexcept;
  void serve_stats();

  FrontEnd front_end_;
  const GuestRam& ram_;
  DriverOptions options_;
  wire::Features offered_;
  wire::Features acked_;
  // Set by lay_out(), again at each reset.
  std::optional<Arena> arena_;
  std::optional<RingSet> rings_;
  std::optional<PfnSender> inflate_;
  std::optional<PfnSender> deflate_;
  std::optional<StatsResponder> stats_;
  Gpa scratch_;                             // 64 bytes for command ids and messages
  std::array<Traffic, kRoles> traffic_;     // of the queues without a PfnSender
  Violations past_violations_;              // of the queues before the last reset
  std::optional<InflightRegion> inflight_;  // where both sides know of it
  std::uint64_t agreed_ = 0;                // protocol features
  std::uint64_t reconnections_ = 0;
  std::uint64_t config_changes_ = 0;
};

}  // namespace vballoon::driver
