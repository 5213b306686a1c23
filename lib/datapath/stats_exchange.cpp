// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/stats_exchange.hpp"

#include "base/clock.hpp"

namespace vballoon::datapath {

void StatsExchange::hear(const wire::StatsSample& sample, std::uint64_t ballooned_pages) noexcept {
  const std::uint64_t sequence = sequence_.get() + 1;
  newest_.store(StatsRecord{sample, sequence, now_ms(), ballooned_pages});
  sequence_.set(sequence);
}

void StatsExchange::forget() noexcept {
  sequence_.set(0);
  newest_.store({});
  nodes_.store({});
}

}  // namespace vballoon::datapath
