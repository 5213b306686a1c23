// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/handover.hpp - one device's batches: filled, handed over to a sink, and taken back.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "gmem/guest_memory.hpp"
#include "reclaim/batch.hpp"
#include "reclaim/conduct.hpp"
#include "reclaim/counters.hpp"
#include "reclaim/page_run.hpp"

namespace vballoon::reclaim {

class Gather;
class HugeFile;
class HugeReserve;
class Prefaults;
class Returns;

/// A point in the stream of batches. A buffer that waits for it may be used once passed() is true.
class Fence {
 public:
  constexpr Fence() noexcept = default;
  friend constexpr bool operator==(Fence, Fence) = default;

 private:
  friend class Handover;
  constexpr explicit Fence(std::uint64_t batch) noexcept : batch_(batch) {}
  std::uint64_t batch_ = 0;
};

/// By region; null where a region has no huge pages. None at all: no guarantee is asked for.
using HugeFiles = std::vector<std::shared_ptr<HugeFile>>;
/// @param reserve  the guarantee that huge pages can be given back; null: there is none.
[[nodiscard]] HugeFiles huge_files_of(const gmem::GuestMemory& memory, HugeReserve* reserve);

/// Of the host pages that a run touches.
[[nodiscard]] std::uint64_t host_bytes_of(const gmem::Region& region, PageRun run) noexcept;

class Handover {
 public:
  /// @param gather, prefaults, returns  are told what became of their pages.
  Handover(Gather& gather, Prefaults& prefaults, Returns& returns,
           ReclaimCounters& counters) noexcept
      : gather_(gather), prefaults_(prefaults), returns_(returns), counters_(counters) {}
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  /// Where batches go from now on. @pre nothing is in flight.
  void set_sink(BatchSink& sink) noexcept { sink_ = &sink; }
  [[nodiscard]] bool has_sink() const noexcept { return sink_ != nullptr; }
  /// Of the memory that the gather has. @pre as above.
  void set_huge_files(HugeFiles files) noexcept { huge_files_ = std::move(files); }

  // --- A pass. @pre of each: there is a sink --------------------------------------------------

  /// Takes back what was carried out, and gives the pass its share.
  void begin_pass() noexcept;
  /// The pass has handed over its share.
  [[nodiscard]] bool spent() const noexcept { return budget_ == 0; }

  /// Makes sure that there is an open batch with room, for this file and account.
  /// @return false: not in this pass.
  [[nodiscard]] bool make_room(const gmem::Region& region, Account account) noexcept;
  /// Whole host pages of the run: a hole in part of one zeroes it and frees nothing.
  /// @pre make_room() of the same region.
  void discard(const gmem::Region& region, PageRun run) noexcept;
  /// The host pages that the run touches. @pre make_room(region, of an account that
  /// fetches).
  void fetch(const gmem::Region& region, PageRun run) noexcept;
  /// Hands the open batch over, if there is one. @return false when the way is full.
  bool send() noexcept;

  /// The sink, where it is the one to tell: the oldest batch was carried out.
  void complete(const Batch& batch) noexcept;

  // --- Fences ---------------------------------------------------------------------------------

  /// All that was put into a batch so far.
  [[nodiscard]] Fence handed_over() const noexcept {
    return Fence(submitted_ + (open_ != nullptr ? 1 : 0));
  }
  [[nodiscard]] bool passed(Fence fence) const noexcept { return completed_ >= fence.batch_; }
  [[nodiscard]] bool in_flight() const noexcept {
    return submitted_ != completed_ || open_ != nullptr;
  }

  /// Any thread.
  [[nodiscard]] const std::shared_ptr<Conduct>& conduct() const noexcept { return conduct_; }
  /// Brings the counter up to date.
  void show() noexcept { counters_.in_flight.set(submitted_ - completed_); }

 private:
  /// Batches of one device between here and its completion: no guest takes them all.
  static constexpr std::uint64_t kInFlight = 4;

  void take_back() noexcept;
  void wait_for_room() noexcept;
  void count(const Batch& batch) noexcept;
  /// Takes so much of the pass's share, and `least` at least.
  void spend(std::uint64_t bytes, std::uint64_t least) noexcept;
  [[nodiscard]] bool makes_long_holes(const gmem::Region& region) const noexcept;
  [[nodiscard]] HugeFile* huge_file_of(const gmem::Region& region) const noexcept;

  BatchSink* sink_ = nullptr;
  Batch* open_ = nullptr;  // being filled
  std::uint64_t submitted_ = 0;
  std::uint64_t completed_ = 0;
  std::uint64_t budget_ = 0;  // bytes that may still be handed over in this pass
  bool waiting_ = false;      // a batch has to wait for room
  // On their way, batch n at n % kInFlight: taken back in this order, whoever carries them out.
  std::array<Batch*, kInFlight> on_way_{};
  Gather& gather_;
  Prefaults& prefaults_;
  Returns& returns_;
  ReclaimCounters& counters_;
  HugeFiles huge_files_;
  const std::shared_ptr<Conduct> conduct_ = std::make_shared<Conduct>();
};

}  // namespace vballoon::reclaim
