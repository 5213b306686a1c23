// SPDX-License-Identifier: BSD-3-Clause
//
// tests/soak/crew.hpp - the processes of the hostile drivers, a thread each.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "shared.hpp"

namespace vballoon::soak {

class Crew {
 public:
  /// Forks. @pre no other thread runs; shared outlives this.
  Crew(const std::vector<std::string>& sockets, std::uint64_t seed, Shared& shared);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  /// Tells all; all but kEnd is there when settled() says so.
  void tell(Phase phase);
  [[nodiscard]] bool settled() const;
  /// Whether one of the processes ended by itself: the drivers' fault, not the daemon's.
  [[nodiscard]] bool lost_one();

 private:
  Shared& shared_;
  const unsigned drivers_;
  std::vector<pid_t> processes_;
};

}  // namespace vballoon::soak
