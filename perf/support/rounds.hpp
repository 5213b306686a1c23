// SPDX-License-Identifier: BSD-3-Clause
//
// support/rounds.hpp - candidate, baseline and limit alternately: all see the same machine.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "support/figures.hpp"

namespace vballoon::perf {

/// At least five, so that a median means something.
inline constexpr unsigned kLeastRounds = 5;

/// The middle one; the mean of the middle two. @pre not empty.
[[nodiscard]] double median(std::vector<double> values);

/// The smallest value that at least this share of the others does not exceed. @pre not empty.
[[nodiscard]] double quantile(std::vector<double> values, double share);

/// Nanoseconds on the steady clock.
[[nodiscard]] double now_ns();
/// Nanoseconds that this thread has had a processor.
[[nodiscard]] double thread_ns();

class Rounds {
 public:
  using Clock = double (*)();

  /// @param clock  processor time where one thread does it all and never sleeps: what others do on
  ///               the machine is then left out.
  explicit Rounds(Clock clock = thread_ns) : clock_(clock) {}

  /// @param pages  that the work is about: variants with different amounts can be compared.
  /// @param prepare  not timed. @param work  timed.
  void add(std::string name, std::uint64_t pages, std::function<void()> prepare,
           std::function<void()> work) {
    variants_.push_back({std::move(name), pages, std::move(prepare), std::move(work), {}});
  }

  /// Every variant once a round, in the order they were added; every second round backwards, so
  /// that none always follows the same neighbour.
  void run(unsigned rounds, std::string_view title);

  /// Median time a page of a variant. @pre run()
  [[nodiscard]] double ns(const std::string& name) const;
  /// Median of one variant's time a page over another's in the same round: drift of the machine
  /// cancels.
  [[nodiscard]] double ratio(const std::string& above, const std::string& below) const;

 private:
  struct Variant {
    std::string name;
    std::uint64_t pages;
    std::function<void()> prepare;
    std::function<void()> work;
    std::vector<double> ns;  // a page, one for each round
  };
  [[nodiscard]] const Variant& find(const std::string& name) const;
  void once(Variant& variant) const;

  Clock clock_;
  std::vector<Variant> variants_;
};

/// How many rounds: the fewer, the longer one takes.
struct Effort {
  unsigned rounds;  ///< where gigabytes come and go in each
  unsigned many;    ///< where a round is short: what disturbs one of them leaves the median alone
};

/// The command line of every bench: [--quick].
[[nodiscard]] Effort effort_wanted(int argc, char** argv);

}  // namespace vballoon::perf
