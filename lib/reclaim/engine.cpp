// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/engine.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "reclaim/conduct.hpp"
#include "reclaim/discarder.hpp"
#include "reclaim/handover.hpp"
#include "reclaim/lane.hpp"
#include "reclaim/ring_order.hpp"

namespace vballoon::reclaim {
namespace {

/// Batches that exist; each about 1 KiB. A device holds 4 at most, so 128 can be busy at once.
constexpr unsigned kBatches = 511;
/// Of a worker's inbox: all batches fit.
constexpr unsigned kRingSlots = 512;
constexpr unsigned kPoolCache = 32;
constexpr unsigned kBurst = 8;

/// Names are global in EAL; two engines may exist in one process (tests).
unsigned next_serial() noexcept {
  static std::atomic<unsigned> serial{0};
  return serial.fetch_add(1, std::memory_order_relaxed);
}

/// A pool's driver is a plugin, which EAL loads from a folder if it is there.
std::string why_incomplete(int error) {
  if (error == EINVAL) {
    return "DPDK finds no driver for its memory pools; install librte_mempool_ring (in Debian 12: "
           "librte-mempool-ring23)";
  }
  return fmt::format(
      "EAL has no memory for the reclaim rings ({}); give it more with eal.memory_mib",
      rte_strerror(error));
}

}  // namespace

class Engine::Impl {
  struct RingFree {
    void operator()(rte_ring* ring) const noexcept { rte_ring_free(ring); }
  };
  struct PoolFree {
    void operator()(rte_mempool* pool) const noexcept { rte_mempool_free(pool); }
  };
  using Ring = std::unique_ptr<rte_ring, RingFree>;
  using Pool = std::unique_ptr<rte_mempool, PoolFree>;

 public:
  Impl(unsigned workers, Discarder& discarder) : discarder_(discarder), serial_(next_serial()) {
    for (unsigned worker = 0; worker < workers; ++worker) {
      inboxes_.push_back(make_ring("todo", worker));
      sinks_.push_back(std::make_unique<Sink>(*this, worker));
    }
    pool_.reset(rte_mempool_create(fmt::format("vballoon_batch_{}", serial_).c_str(), kBatches,
                                   sizeof(Batch), kPoolCache, 0, nullptr, nullptr, nullptr, nullptr,
                                   SOCKET_ID_ANY, 0));
  }

  [[nodiscard]] bool complete() const noexcept {
    bool all = pool_ != nullptr;
    for (const Ring& ring : inboxes_) all = all && ring != nullptr;
    return all;
  }

  BatchSink& sink(unsigned worker) noexcept { return *sinks_[worker]; }

  /// One by one: of what is still in the inbox nobody needs to be told when the seat is lost.
  Turn work(unsigned worker, Tenure& tenure, Counter& counter) noexcept {
    Turn turn;
    for (void* next = nullptr;
         turn.batches < kBurst && rte_ring_sc_dequeue(inboxes_[worker].get(), &next) == 0;
         ++turn.batches) {
      taken_over(next);
      auto* const batch = static_cast<Batch*>(next);
      // While a batch is on its way, its owner is there. Pairs with the release of the guard.
      Lane* const lane = batch->owner->conduct()->lane.load(std::memory_order_acquire);
      if (lane != nullptr) {
        lane->push(batch);
      } else if (carry_out(batch, tenure)) {
        counter.add(1);
      } else {
        turn.lost = true;
        break;
      }
    }
    return turn;
  }

  bool work(Lane& lane, Tenure& tenure) noexcept {
    Batch* const batch = lane.pop();
    if (batch == nullptr) return false;
    static_cast<void>(carry_out(batch, tenure));
    return true;
  }

 private:
  class Sink final : public BatchSink {
   public:
    Sink(Impl& engine, unsigned worker) noexcept : engine_(engine), worker_(worker) {}

    [[nodiscard]] Batch* acquire() noexcept override {
      void* memory = nullptr;
      if (rte_mempool_get(engine_.pool_.get(), &memory) != 0) return nullptr;
      taken_over(memory);
      return new (memory) Batch;
    }
    [[nodiscard]] bool submit(Batch* batch) noexcept override {
      handing_over(batch);
      return rte_ring_mp_enqueue(engine_.inboxes_[worker_].get(), batch) == 0;
    }
    void release(Batch* batch) noexcept override {
      handing_over(batch);
      rte_mempool_put(engine_.pool_.get(), batch);
    }
    [[nodiscard]] std::uint64_t bytes_per_pass() const noexcept override { return kBytesPerPass; }

   private:
    /// Handing over costs the poll lcore next to nothing; it is bounded by what may be in flight.
    static constexpr std::uint64_t kBytesPerPass = 64 * kMiB;

    Impl& engine_;
    const unsigned worker_;
  };

  /// @return false when that took so long that the seat was lost.
  bool carry_out(Batch* batch, Tenure& tenure) noexcept {
    tenure.enter(batch->owner);
    reclaim::carry_out(*batch, discarder_);
    const bool kept = tenure.leave();
    // Last of all: from here on its owner may be gone.
    batch->done.store(true, std::memory_order_release);
    return kept;
  }

  Ring make_ring(const char* what, unsigned number) const {
    return Ring(rte_ring_create(fmt::format("vballoon_{}_{}_{}", what, serial_, number).c_str(),
                                kRingSlots, SOCKET_ID_ANY, RING_F_SC_DEQ));
  }

  Discarder& discarder_;
  const unsigned serial_;
  std::vector<Ring> inboxes_;  // per worker
  Pool pool_;
  std::vector<std::unique_ptr<Sink>> sinks_;  // likewise
};

Engine::Engine(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::create(unsigned workers, Discarder& discarder) {
  auto impl = std::make_unique<Impl>(workers, discarder);
  if (!impl->complete()) {
    return fail(Code::kHost, why_incomplete(rte_errno));
  }
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

BatchSink& Engine::sink(unsigned worker) noexcept {
  return impl_->sink(worker);
}
Engine::Turn Engine::work(unsigned worker, Tenure& tenure, Counter& count) noexcept {
  return impl_->work(worker, tenure, count);
}
std::size_t Engine::work(unsigned worker) noexcept {
  Tenure tenure;
  Counter count;
  return impl_->work(worker, tenure, count).batches;
}
bool Engine::work(Lane& lane, Tenure& tenure) noexcept {
  return impl_->work(lane, tenure);
}

}  // namespace vballoon::reclaim
