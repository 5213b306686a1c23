// SPDX-License-Identifier: BSD-3-Clause
//
// tests/soak/run.hpp - quiet, storm, quiet again; what was seen, and what it is worth.
// Thread: one owner.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "crew.hpp"
#include "daemon.hpp"
#include "honest_vm.hpp"
#include "shared.hpp"

namespace vballoon::soak {

struct Options {
  std::string daemon;  ///< path of vballoond
  std::chrono::seconds storm{60};
  unsigned drivers = 64;
  std::uint64_t seed = 1;
  Lcores lcores = Lcores::kTwoThatSleep;
  std::string json;            ///< where the figures go; empty: nowhere
  bool judge_latency = false;  ///< on a machine with nothing else to do
};

class Run {
 public:
  /// @errors throws when it cannot begin.
  explicit Run(const Options& options);

  /// @return what was not as it must be; empty: all is well.
  std::vector<std::string> go();
  [[nodiscard]] const std::map<std::string, double>& figures() const noexcept { return figures_; }

 private:
  using Clock = std::chrono::steady_clock;

  void settle(const char* name);
  /// The honest VM works, and once a second it is looked at everything.
  void spend(const char* name, std::chrono::seconds time, Waits* waits);
  void look();
  void look_at_devices();
  void note_minute();
  void note_usage(const std::string& name, const Usage& usage);
  void note_waits(const std::string& name, const Waits& waits);
  void note_actions();
  [[nodiscard]] std::uint64_t faults() const;
  [[nodiscard]] double ratio(driver::Histogram Waits::*of) const;
  [[nodiscard]] std::vector<std::string> judge() const;

  const Options options_;
  std::unique_ptr<Shared, Unmap> shared_ = make_shared_page();
  Daemon daemon_;
  std::optional<Crew> crew_;
  std::optional<HonestVm> honest_;
  const Clock::time_point began_ = Clock::now();
  Clock::time_point next_look_ = Clock::now();
  unsigned minutes_ = 0;
  Usage before_, after_;
  Waits quiet_before_, storm_, quiet_after_;
  std::set<std::string> broken_;  // queues that were, when last looked at
  std::uint64_t breaks_ = 0;      // that were seen; what heals within a second is not
  std::uint64_t survived_ = 0;    // faults behind which all was well
  std::uint64_t no_answers_ = 0;  // of the operator's calls
  driver::Histogram operator_waits_;
  bool alive_ = true;
  bool crew_whole_ = true;
  bool settled_ = true;
  std::map<std::string, double> figures_;
};

}  // namespace vballoon::soak
