// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/engine.hpp - batches on their way from poll lcores to reclaim lcores and back.
// Layer:  reclaim; may include base/ and gmem/. rte_ring and rte_mempool stay behind this header.
// Thread: each lane belongs to one poll lcore, each worker to one reclaim lcore; create() and the
//         destructor to the control thread, while neither runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/counter.hpp"
#include "base/result.hpp"
#include "reclaim/batch.hpp"

namespace vballoon::reclaim {

class Discarder;

/// A device's batches all go to one worker: two threads in one file wait for its inode lock and are
/// slower than one (0.68 of it by 4 KiB pieces), while two files scale (1.87).
class Engine {
 public:
  /// @pre EAL is initialised.
  /// @errors kHost when EAL's memory does not suffice: about 1 MiB.
  [[nodiscard]] static Result<std::unique_ptr<Engine>> create(unsigned lanes, unsigned workers,
                                                              Discarder& discarder);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// The way from a poll lcore to a worker; lives as long as the engine.
  [[nodiscard]] BatchSink& sink(unsigned lane, unsigned worker) noexcept;

  /// A poll lcore takes back what was carried out for it. @return how many batches.
  std::size_t collect(unsigned lane) noexcept;

  /// A reclaim lcore carries out what waits for it, at most one burst. @return how many batches.
  /// @param count  where given, grows by one as soon as each is carried out: a burst may take long.
  std::size_t work(unsigned worker, Counter* count = nullptr) noexcept;

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vballoon::reclaim
