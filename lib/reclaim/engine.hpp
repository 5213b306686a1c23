// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/engine.hpp - batches on their way from poll lcores to reclaim lcores; each comes back to
// its device by itself. rte_ring and rte_mempool stay behind this header.
// Thread: sinks are for any number of poll lcores, each worker is one reclaim lcore's; create() and
//         the destructor are the control thread's, while neither runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/counter.hpp"
#include "base/result.hpp"
#include "base/tenure.hpp"
#include "reclaim/batch.hpp"

namespace vballoon::reclaim {

class Discarder;
class Lane;

/// A device's batches all go to one worker: two threads in one file wait for its inode lock and are
/// slower than one (0.68 of it by 4 KiB pieces), while two files scale (1.87).
class Engine {
 public:
  /// @pre EAL is initialised.
  /// @errors kHost when EAL's memory does not suffice: about 1 MiB.
  [[nodiscard]] static Result<std::unique_ptr<Engine>> create(unsigned workers,
                                                              Discarder& discarder);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// The way to a worker; lives as long as the engine.
  [[nodiscard]] BatchSink& sink(unsigned worker) noexcept;

  /// What a turn of work came to.
  struct Turn {
    std::size_t batches = 0;  ///< carried out, or passed on to the lane of their VM
    bool lost = false;        ///< the seat is another's now, who goes on from here
  };
  /// Carries out what waits for a worker, at most one burst.
  /// @param tenure  of the caller's thread on the worker's seat; the batch's owner is entered.
  /// @param count  grows by one as soon as each is carried out: a burst may take long.
  Turn work(unsigned worker, Tenure& tenure, Counter& count) noexcept;
  /// The same for a seat that cannot be lost.
  std::size_t work(unsigned worker) noexcept;

  /// Carries out the oldest batch of a lane. @return false when there is none.
  bool work(Lane& lane, Tenure& tenure) noexcept;

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vballoon::reclaim
