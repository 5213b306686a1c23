// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/placement/cpus.hpp - which cpus this process may use, as the kernel says.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vballoon::lcore {

/// Cpu numbers, ascending, each once.
using CpuList = std::vector<unsigned>;

[[nodiscard]] bool contains(const CpuList& cpus, unsigned cpu) noexcept;
[[nodiscard]] CpuList without(const CpuList& cpus, const CpuList& taken);

struct Cpus {
  CpuList allowed;   ///< the affinity this process was started with: where it floats
  CpuList usable;    ///< what its cpuset permits it to pin to; isolated cpus are only in here
  CpuList isolated;  ///< kept free of other work by isolcpus=
};

/// Asks the kernel; the affinity of the calling thread is the same afterwards.
[[nodiscard]] Cpus read_cpus();

/// Confines the calling thread, and those that it starts from now on, to these.
/// @return false when the kernel grants none of them.
[[nodiscard]] bool stay_on(const CpuList& cpus);

/// "0-3,8" to numbers; what is no list of cpus comes out as nothing.
/// @source  cpuset(7), "List format"
[[nodiscard]] CpuList parse_cpu_list(std::string_view text);
[[nodiscard]] std::string format_cpu_list(const CpuList& cpus);

}  // namespace vballoon::lcore
