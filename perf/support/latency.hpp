// SPDX-License-Identifier: BSD-3-Clause
//
// support/latency.hpp - the quantiles of what is measured many times a round.
#pragma once

#include <string>
#include <vector>

#include "support/figures.hpp"
#include "support/rounds.hpp"

namespace vballoon::perf {

/// Of one variant: a pair a round.
class Latency {
 public:
  void add_round(const std::vector<double>& us) {
    p50_us_.push_back(quantile(us, 0.50));
    p99_us_.push_back(quantile(us, 0.99));
  }
  /// The medians of the rounds. @pre there was one.
  [[nodiscard]] double p50_us() const { return median(p50_us_); }
  [[nodiscard]] double p99_us() const { return median(p99_us_); }

  void record(const std::string& name, Figures& figures) const {
    figures.set(name + ".p50_us", p50_us());
    figures.set(name + ".p99_us", p99_us());
  }

 private:
  std::vector<double> p50_us_;
  std::vector<double> p99_us_;
};

}  // namespace vballoon::perf
