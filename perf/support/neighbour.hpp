// SPDX-License-Identifier: BSD-3-Clause
//
// support/neighbour.hpp - a second process that has the guest's memory mapped and touched, as a
// VMM or a virtual switch has.
// Thread: one owner. Create it before any thread: it forks.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "base/unique_fd.hpp"
#include "support/memory_file.hpp"

namespace vballoon::perf {

class Neighbour {
 public:
  /// @pre no other thread runs.
  explicit Neighbour(const MemoryFile& memory);
  ~Neighbour();
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;

  /// Writes to every page: the memory is there again, and its page-table entries are the
  /// neighbour's.
  void touch();
  /// From here on it runs in user space on the other cpu, with that memory in its address space.
  void run_busy();
  /// Sleeps again.
  void rest();

 private:
  void ask(char order);
  [[noreturn]] void live(const MemoryFile& memory) const;

  struct Shared {
    std::atomic<bool> busy{false};
    std::atomic<std::uint64_t> turns{0};
  };
  Shared* shared_;
  UniqueFd orders_;
  UniqueFd answers_;
  pid_t pid_ = -1;
};

}  // namespace vballoon::perf
