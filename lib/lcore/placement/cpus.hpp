// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/placement/cpus.hpp - which cpus the kernel lets this process use.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vballoon::lcore {

/// Cpu numbers, ascending, without duplicates.
using CpuList = std::vector<unsigned>;

[[nodiscard]] bool contains(const CpuList& cpus, unsigned cpu) noexcept;
[[nodiscard]] CpuList without(const CpuList& cpus, const CpuList& taken);

struct Cpus {
  CpuList allowed;   ///< the affinity that the process was started with: it floats over these
  CpuList usable;    ///< the cpus that its cpuset permits; isolated cpus are only in here
  CpuList isolated;  ///< cpus that isolcpus= keeps free of other work
};

/// Asks the kernel; the affinity of the calling thread is the same afterwards.
[[nodiscard]] Cpus read_cpus();

/// Confines the calling thread, and the threads that it starts from now on, to these cpus.
/// @return false when the kernel grants none of them.
[[nodiscard]] bool stay_on(const CpuList& cpus);

/// @return the numbers of a list such as "0-3,8"; an empty list where the text is no cpu list.
/// @source  cpuset(7), "List format"
[[nodiscard]] CpuList parse_cpu_list(std::string_view text);
[[nodiscard]] std::string format_cpu_list(const CpuList& cpus);

}  // namespace vballoon::lcore
