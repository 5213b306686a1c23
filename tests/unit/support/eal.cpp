// SPDX-License-Identifier: BSD-3-Clause
#include "support/eal.hpp"

#include <rte_eal.h>
#include <sched.h>

#include <string>
#include <vector>

#include "base/check.hpp"

namespace vballoon::test {
namespace {

/// One lcore that floats over the cpus of this process: EAL pins the calling thread, and those that
/// it starts inherit that.
std::string floating_lcore() {
  cpu_set_t allowed;
  VB_CHECK(::sched_getaffinity(0, sizeof(allowed), &allowed) == 0);
  std::string cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) cpus += (cpus.empty() ? "" : ",") + std::to_string(cpu);
  }
  return "0@(" + cpus + ")";
}

bool start() {
  // In 22.11 --in-memory and --no-huge exclude each other.
  std::vector<std::string> words{"unit-test", "--lcores",       floating_lcore(), "--no-huge",
                                 "--no-pci",  "--no-shconf",    "--iova-mode=va", "-m",
                                 "64",        "--no-telemetry", "--log-level=*:4"};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0;
}

}  // namespace

void need_eal() {
  static const bool started = start();
  VB_CHECK(started);
}

}  // namespace vballoon::test
