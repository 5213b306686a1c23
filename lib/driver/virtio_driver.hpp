// SPDX-License-Identifier: BSD-3-Clause
//
// driver/virtio_driver.hpp - what every kind of driver does: from the connection to running rings,
// and through a guest's life. What travels in the rings is the kind's.
// Thread: one owner. Every call ends by a timeout.
// Source: VIRTIO 1.2, 3.1 (device initialization); vhost-user protocol, as vhost_user.hpp has it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "driver/arena.hpp"
#include "driver/ring_set.hpp"
#include "driver/vhost_user.hpp"
#include "wire/features.hpp"

namespace vballoon::driver {

enum class Indirect {
  kNever,
  kLinux,   ///< chains of more than one segment
  kAlways,  ///< every chain, even of one segment
};

/// What a test may choose of any kind of driver.
struct VirtioOptions {
  std::uint64_t features = ~std::uint64_t{0};  ///< of what the device offers, these are taken
  std::uint64_t protocol_features = ~std::uint64_t{0};  ///< likewise
  Indirect indirect = Indirect::kLinux;
  WaitMode wait = WaitMode::kInterrupt;
  unsigned queue_size = 128;
  std::uint64_t arena_bytes = kMiB;  ///< the driver's own memory
  Gpa arena_at;
  std::chrono::milliseconds timeout{5000};  ///< for one answer or one buffer
  /// See QueueShape. A backend that is killed before the call leaves it to the next one, whose
  /// start has to fit in.
  std::chrono::milliseconds call_grace{1000};
  /// Where the next backend is when one goes away; none: that is an error.
  std::function<Result<MessageSocket>(Deadline)> reconnect;
  std::chrono::milliseconds patience{30'000};  ///< with a backend that does not come back
};

class VirtioDriver {
 public:
  VirtioDriver(const VirtioDriver&) = delete;
  VirtioDriver& operator=(const VirtioDriver&) = delete;
  virtual ~VirtioDriver() = default;

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

  /// Waits for one used buffer of a queue, and serves the device's requests meanwhile.
  [[nodiscard]] Result<Used> await(DriverQueue& queue);

  [[nodiscard]] wire::Features offered() const noexcept { return offered_; }
  [[nodiscard]] wire::Features acked() const noexcept { return acked_; }
  [[nodiscard]] const GuestRam& ram() const noexcept { return ram_; }
  /// Pages that must not be put into the balloon.
  [[nodiscard]] const Arena& arena() const noexcept { return *arena_; }
  [[nodiscard]] FrontEnd& front_end() noexcept { return front_end_; }
  /// @pre  The driver has such a queue.
  [[nodiscard]] DriverQueue& queue(Role role) noexcept;
  [[nodiscard]] std::optional<unsigned> queue_number(Role role) const noexcept {
    return rings_->number(role);
  }
  [[nodiscard]] std::uint64_t config_changes() const noexcept { return config_changes_; }
  /// Since start(), resets included.
  [[nodiscard]] Violations violations() const noexcept {
    return past_violations_ + rings_->violations();
  }

 protected:
  /// While a buffer is out, requests are looked at this often, as Linux's work queue would.
  static constexpr std::chrono::milliseconds kServeInterval{5};

  /// @param known  the features that drivers of this kind can take.
  VirtioDriver(MessageSocket socket, const GuestRam& ram, std::chrono::milliseconds timeout,
               wire::Features known);

  // --- What a kind adds. ---

  [[nodiscard]] virtual const VirtioOptions& virtio_options() const noexcept = 0;
  /// The queues that these features make.
  [[nodiscard]] virtual QueueNumbers numbers() const noexcept = 0;
  /// Segments of the longest buffer of this queue that may be indirect; 0: its buffers have one.
  [[nodiscard]] virtual unsigned indirect_entries(Role role) const noexcept = 0;
  /// Takes memory for buffers. The features are known; rings are laid out behind it.
  virtual Result<void> lay_out_buffers(Arena& arena) = 0;
  /// Writes configuration and makes first buffers available, before the rings start.
  virtual Result<void> prepare() = 0;
  /// Answers whatever the device asks now.
  virtual void serve_requests() = 0;

  // --- What it is made of. ---

  /// From the connection to DRIVER_OK.
  Result<void> connect();
  Result<void> set_up();
  /// Stops the rings, and takes down what the device did wrong on them: they end here.
  Result<void> stop_for_good();
  [[nodiscard]] DriverQueue* find(Role role) noexcept { return rings_->find(role); }
  /// Fails where the driver has no such queue.
  [[nodiscard]] Result<DriverQueue*> need(Role role);
  [[nodiscard]] Result<std::vector<std::byte>> read_config(std::uint32_t offset,
                                                           std::uint32_t size);
  Result<void> write_config(std::uint32_t offset, std::span<const std::byte> bytes);
  /// Takes in what the backend says of its configuration; waits for that until the deadline.
  /// @return  whether it may have changed. Requests are served meanwhile.
  [[nodiscard]] Result<bool> await_config_change(Deadline deadline);
  [[nodiscard]] bool lost() const noexcept {
    return virtio_options().reconnect && front_end_.gone();
  }
  Result<void> come_back();
  /// Goes on with the next backend where there is a way to it. @errors kUnavailable without one.
  Result<void> need_backend();

 private:
  Result<void> negotiate_protocol();
  Result<void> lay_out();
  Result<void> tell_features_and_memory();
  Result<void> start_rings();
  Result<void> tell_inflight();
  [[nodiscard]] QueueShapes shapes() const noexcept;
  template <typename Ask>
  auto persist(Ask ask) -> decltype(ask());

  FrontEnd front_end_;
  const GuestRam& ram_;
  const wire::Features known_;
  wire::Features offered_;
  wire::Features acked_;
  // Set by lay_out(), again at each reset.
  std::optional<Arena> arena_;
  std::optional<RingSet> rings_;
  Violations past_violations_;              // of the queues before the last reset
  std::optional<InflightRegion> inflight_;  // where both sides know of it
  std::uint64_t agreed_ = 0;                // protocol features
  std::uint64_t reconnections_ = 0;
  std::uint64_t config_changes_ = 0;
};

}  // namespace vballoon::driver
