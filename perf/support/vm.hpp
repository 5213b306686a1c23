// SPDX-License-Identifier: BSD-3-Clause
//
// support/vm.hpp - one VM inside this process: a device's data path, and the driver's side of its
// rings. Nothing between them but the rings, as nothing is between a guest and the daemon.
// Thread: the driver's side has one owner, the data path has its own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "datapath/config_space.hpp"
#include "datapath/data_path.hpp"
#include "support/memory_file.hpp"

namespace vballoon::perf {

/// Whether MUST_TELL_HOST was negotiated (section 4 of the design).
enum class Ack { kEarly, kLate };

class Vm {
 public:
  static constexpr std::size_t kPagesPerBuffer = 256;  ///< as Linux's driver sends them

  /// @param ram    all of the guest's memory but its rings, which lie in a file of their own.
  /// @param roles  queues that run: the first so many.
  /// @pre   ram outlives the VM.
  Vm(const MemoryFile& ram, reclaim::ReclaimLimits limits, Ack ack, unsigned roles = wire::kQueues);

  [[nodiscard]] datapath::DataPath& path() noexcept { return *path_; }

  /// The balloon's page number of a page of the RAM.
  [[nodiscard]] static Pfn pfn(std::uint64_t page) noexcept {
    return Pfn{static_cast<std::uint32_t>(kRamAt / kPageSize + page)};
  }

  // --- The driver's side of the inflate queue: one buffer outstanding, as Linux has it. ---

  /// Fills the buffer and makes it available. @pre at most kPagesPerBuffer; used() is true.
  void send(std::span<const Pfn> pfns) noexcept {
    write(pfns);
    publish();
  }
  void write(std::span<const Pfn> pfns) noexcept;
  void publish() noexcept;
  /// Whether all that was sent has come back.
  [[nodiscard]] bool used() const noexcept;

  // --- A driver that never waits: the queue full of buffers, each of other pages. ---

  /// Fills all buffers, 32,768 pages in the end. @pre this many pages; send() is not used.
  void prepare_flood(std::span<const Pfn> pfns);
  /// What came back is made available once more.
  void flood() noexcept;

  /// Where a driver shows that it has sent something, for a limit that only looks.
  [[nodiscard]] const std::uint16_t* avail_index(unsigned queue) const noexcept;

  // --- The device's side of it, for a baseline without a device. ---

  [[nodiscard]] bool available() const noexcept;
  void answer() noexcept;

  /// The driver is reset: the balloon is empty. @pre nothing is in flight.
  void reset() { path_->empty_balloon(); }

 private:
  static constexpr std::uint64_t kRamAt = kGiB;
  // A page a ring, laid out as Linux does it: the avail indices of all VMs compete for cache sets.
  static constexpr std::uint64_t kRingStride = 4 * kKiB;
  static constexpr std::uint64_t kAvailAt = 2048;
  static constexpr std::uint64_t kUsedAt = 2368;
  static constexpr std::uint64_t kBufferAt = 256 * kKiB;
  static constexpr unsigned kQueueSize = 128;

  [[nodiscard]] virtq::SplitAreas areas(unsigned queue) const noexcept;

  MemoryFile arena_;
  datapath::ConfigSpace config_;
  std::unique_ptr<datapath::DataPath> path_;
  std::uint16_t sent_ = 0;
  std::uint16_t answered_ = 0;  // by answer()
};

/// The driver and the poll lcore alternately on this thread, until the stream is through and
/// nothing waits any more.
void stream_through(Vm& vm, std::span<const Pfn> pfns);

}  // namespace vballoon::perf
