// SPDX-License-Identifier: BSD-3-Clause
//
// support/contest.hpp - one guest's memory, and the ways in which it can be given back,
//                       alternately: the whole engine, page by page, buffer by buffer, one hole.
// Thread: one owner.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "reclaim/discarder.hpp"
#include "support/figures.hpp"
#include "support/memory_file.hpp"
#include "support/rounds.hpp"
#include "support/vm.hpp"

namespace vballoon::perf {

/// The engine as the daemon has it where it has no reclaim lcores: ring, window and discards on the
/// caller's thread.
class InlineVm {
 public:
  InlineVm(const MemoryFile& ram, reclaim::ReclaimLimits limits, Ack ack);

  void run(std::span<const Pfn> pfns) { stream_through(vm_, pfns); }
  /// The balloon is empty again.
  void reset() { vm_.reset(); }

 private:
  reclaim::HolePuncher puncher_;
  reclaim::InlineSink sink_;
  Vm vm_;
};

/// Variants run in the order they are added: put the limit between those that are compared with it.
class Contest {
 public:
  /// @param fill  has the host provide all of the memory, before each turn. @pre it is empty then.
  /// @param prefix  of the keys.
  Contest(const MemoryFile& ram, std::function<void()> fill, std::string prefix);

  /// One hole over everything.
  void limit();
  /// Gives up when it leaves memory behind. @pre pages are all that there are, and outlive this.
  void engine(const std::string& name, const std::vector<Pfn>& pages,
              reclaim::ReclaimLimits limits = {}, Ack ack = Ack::kEarly);

  // --- Baselines. Each page costs them the same, so a part of the stream does: the first
  // `share`-th of it, with all of the memory there. Their figures are for as many pages as they
  // had. ---

  void by_page(const std::string& name, const std::vector<Pfn>& pages, unsigned share = 1);
  void by_buffer(const std::string& name, const std::vector<Pfn>& pages, unsigned share = 1);

  /// Sets PREFIX.NAME_ns_per_page for each, and PREFIX.NAME_of_limit.
  void run(unsigned rounds, Figures& figures);
  /// How many times faster `than`'s work is done by `name`. @pre run()
  [[nodiscard]] double speedup(const std::string& name, const std::string& than) const {
    return rounds_.ratio(than, name);
  }

 private:
  using Way = void (*)(const MemoryFile&, std::span<const Pfn>);
  void baseline(const std::string& name, const std::vector<Pfn>& pages, unsigned share, Way way);
  void refill() const;

  const MemoryFile& ram_;
  std::function<void()> fill_;
  std::string prefix_;
  Rounds rounds_;
  std::vector<std::string> names_;
};

}  // namespace vballoon::perf
