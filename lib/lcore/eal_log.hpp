// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/eal_log.hpp - what DPDK prints goes into the daemon's log, line by line and at a bounded
//                     rate.
// Thread: any thread that logs through DPDK calls write(), one at a time (stdio's lock).
#pragma once

#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "lcore/eal.hpp"

namespace vballoon::lcore {

/// Splits DPDK's output into lines, and remembers the last error for the message to the operator.
class EalLines {
 public:
  explicit EalLines(ReadableLine readable) noexcept : readable_(readable) {}
  /// @param level  the level of the message that these bytes belong to.
  void write(std::string_view bytes, log::level::level_enum level);
  [[nodiscard]] std::string last_error() const;

 private:
  void line(std::string_view text, log::level::level_enum level);

  const ReadableLine readable_;
  mutable std::mutex mutex_;
  std::string partial_;
  std::string last_error_;
  LogGate gate_{40, std::chrono::seconds(10)};
};

/// @return a stdio stream for rte_openlog_stream() that writes to *lines, which outlives it.
[[nodiscard]] std::FILE* open_eal_stream(EalLines* lines);

}  // namespace vballoon::lcore
