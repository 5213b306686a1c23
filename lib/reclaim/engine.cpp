// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/engine.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <array>
#include <atomic>
#include <vector>

#include "base/check.hpp"
#include "handover.hpp"
#include "reclaim/discarder.hpp"
#include "reclaim/reclaimer.hpp"

namespace vballoon::reclaim {
namespace {

/// Batches that exist; each about 1 KiB. A device holds 4 at most, so 128 can be busy at once.
constexpr unsigned kBatches = 511;
/// Of one worker's inbox and of one lane's way back: all batches fit, so the way back is never full.
constexpr unsigned kRingSlots = 512;
constexpr unsigned kPoolCache = 32;
constexpr unsigned kBurst = 8;

struct RingFree {
  void operator()(rte_ring* ring) const noexcept { rte_ring_free(ring); }
};
struct PoolFree {
  void operator()(rte_mempool* pool) const noexcept { rte_mempool_free(pool); }
};
using Ring = std::unique_ptr<rte_ring, RingFree>;
using Pool = std::unique_ptr<rte_mempool, PoolFree>;

/// Names are global in EAL; two engines may exist in one process (tests).
unsigned next_serial() noexcept {
  static std::atomic<unsigned> serial{0};
  return serial.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

/// What travels: the batch, and the lane that it comes back on.
struct Parcel {
  Batch batch;
  unsigned lane = 0;
};

class Engine::Impl {
 public:
  Impl(unsigned lanes, unsigned workers, Discarder& discarder)
      : discarder_(discarder), serial_(next_serial()) {
    for (unsigned lane = 0; lane < lanes; ++lane) returns_.push_back(make_ring("done", lane));
    for (unsigned worker = 0; worker < workers; ++worker) {
      inboxes_.push_back(make_ring("todo", worker));
    }
    pool_.reset(rte_mempool_create(fmt::format("vballoon_batch_{}", serial_).c_str(), kBatches,
                                   sizeof(Parcel), kPoolCache, 0, nullptr, nullptr, nullptr, nullptr,
                                   SOCKET_ID_ANY, 0));
    for (unsigned lane = 0; lane < lanes; ++lane) {
      for (unsigned worker = 0; worker < workers; ++worker) {
        sinks_.push_back(std::make_unique<Sink>(*this, lane, worker));
      }
    }
  }

  [[nodiscard]] bool complete() const noexcept {
    bool all = pool_ != nullptr;
    for (const Ring& ring : returns_) all = all && ring != nullptr;
    for (const Ring& ring : inboxes_) all = all && ring != nullptr;
    return all;
  }

  BatchSink& sink(unsigned lane, unsigned worker) noexcept {
    return *sinks_[lane * inboxes_.size() + worker];
  }

  std::size_t collect(unsigned lane) noexcept {
    std::array<void*, kBurst> burst{};
    const unsigned count =
        rte_ring_sc_dequeue_burst(returns_[lane].get(), burst.data(), burst.size(), nullptr);
    for (unsigned i = 0; i < count; ++i) {
      auto* parcel = static_cast<Parcel*>(burst[i]);
      taken_over(parcel);
      parcel->batch.owner->complete(parcel->batch);
      handing_over(parcel);
      rte_mempool_put(pool_.get(), parcel);
    }
    return count;
  }

  std::size_t work(unsigned worker, Counter* counter) noexcept {
    std::array<void*, kBurst> burst{};
    const unsigned count =
        rte_ring_sc_dequeue_burst(inboxes_[worker].get(), burst.data(), burst.size(), nullptr);
    for (unsigned i = 0; i < count; ++i) {
      auto* parcel = static_cast<Parcel*>(burst[i]);
      taken_over(parcel);
      carry_out(parcel->batch, discarder_);
      if (counter != nullptr) counter->add(1);
      rte_ring* const way_back = returns_[parcel->lane].get();
      handing_over(parcel);
      VB_CHECK(rte_ring_mp_enqueue(way_back, parcel) == 0);
    }
    return count;
  }

 private:
  class Sink final : public BatchSink {
   public:
    Sink(Impl& engine, unsigned lane, unsigned worker) noexcept
        : engine_(engine), lane_(lane), worker_(worker) {}

    [[nodiscard]] Batch* acquire() noexcept override {
      void* memory = nullptr;
      if (rte_mempool_get(engine_.pool_.get(), &memory) != 0) return nullptr;
      taken_over(memory);
      auto* parcel = new (memory) Parcel;
      parcel->lane = lane_;
      return &parcel->batch;
    }
    [[nodiscard]] bool submit(Batch* batch) noexcept override {
      static_assert(offsetof(Parcel, batch) == 0);
      handing_over(batch);
      return rte_ring_mp_enqueue(engine_.inboxes_[worker_].get(), batch) == 0;
    }
    [[nodiscard]] std::uint64_t bytes_per_pass() const noexcept override { return kBytesPerPass; }

   private:
    /// Handing over costs the poll lcore next to nothing; it is bounded by what may be in flight.
    static constexpr std::uint64_t kBytesPerPass = 64 * kMiB;

    Impl& engine_;
    const unsigned lane_;
    const unsigned worker_;
  };

  Ring make_ring(const char* what, unsigned number) const {
    return Ring(rte_ring_create(fmt::format("vballoon_{}_{}_{}", what, serial_, number).c_str(),
                                kRingSlots, SOCKET_ID_ANY, RING_F_SC_DEQ));
  }

  Discarder& discarder_;
  const unsigned serial_;
  std::vector<Ring> returns_;  // per lane
  std::vector<Ring> inboxes_;  // per worker
  Pool pool_;
  std::vector<std::unique_ptr<Sink>> sinks_;  // lane by lane
};

Engine::Engine(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::create(unsigned lanes, unsigned workers,
                                               Discarder& discarder) {
  auto impl = std::make_unique<Impl>(lanes, workers, discarder);
  if (!impl->complete()) {
    return fail(Code::kHost, fmt::format("EAL has no memory for the reclaim rings ({}); give it more "
                                         "with eal.memory_mib", rte_strerror(rte_errno)));
  }
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

BatchSink& Engine::sink(unsigned lane, unsigned worker) noexcept { return impl_->sink(lane, worker); }
std::size_t Engine::collect(unsigned lane) noexcept { return impl_->collect(lane); }
std::size_t Engine::work(unsigned worker, Counter* count) noexcept {
  return impl_->work(worker, count);
}

}  // namespace vballoon::reclaim
