// SPDX-License-Identifier: BSD-3-Clause
#include "support/cpu.hpp"

#include <pthread.h>
#include <rte_eal.h>
#include <sched.h>

#include <array>
#include <fstream>
#include <sstream>
#include <string>

#include "support/figures.hpp"

namespace vballoon::perf {

void pin(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (::pthread_setaffinity_np(::pthread_self(), sizeof(set), &set) != 0) {
    give_up("cpu " + std::to_string(cpu) + " cannot be used: the benches need two");
  }
}

std::uint64_t tlb_interrupts(unsigned cpu) {
  std::ifstream file("/proc/interrupts");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name != "TLB:") continue;
    std::uint64_t count = 0;
    for (unsigned column = 0; column <= cpu; ++column) words >> count;
    return count;
  }
  give_up("/proc/interrupts has no TLB line");
}

void start_eal() {
  std::array<std::string, 8> words{"perf", "--no-huge", "--no-shconf",  "--no-pci",
                                   "-m",   "64",        "--lcores=0@0", "--log-level=error"};
  std::array<char*, words.size()> argv{};
  for (std::size_t i = 0; i < words.size(); ++i) argv[i] = words[i].data();
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) give_up("DPDK does not start");
}

}  // namespace vballoon::perf
