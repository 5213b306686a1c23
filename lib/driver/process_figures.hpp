// SPDX-License-Identifier: BSD-3-Clause
//
// driver/process_figures.hpp - what a daemon costs its host, as /proc tells it.
// Source: proc(5): PID/smaps, PID/fd, PID/task, PID/task/TID/schedstat.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vballoon::driver {

/// Bytes in RAM, by what they are for.
struct Resident {
  std::uint64_t own = 0;  ///< heap, stacks, code
  std::uint64_t dpdk =
      0;  ///< of the memory set apart for DPDK (eal.memory_mib), without huge pages
  std::uint64_t guest = 0;  ///< pages of guest RAM (rings, buffers) that it has mapped in

  [[nodiscard]] std::uint64_t all() const noexcept { return own + dpdk + guest; }
};

/// Zeros when there is no such process.
[[nodiscard]] Resident resident(pid_t process);

/// How many open files, by what they are: "socket:", "/memfd:guest-ram (deleted)".
[[nodiscard]] std::map<std::string, int> open_files(pid_t process);

[[nodiscard]] std::uint64_t thread_count(pid_t process);

/// /proc/PID/task/TID of the thread that has one of these names.
[[nodiscard]] std::optional<std::filesystem::path> thread_named(
    pid_t process, std::span<const std::string_view> names);

/// Processor time so far of a thread. Nothing when there is no such thread.
[[nodiscard]] std::optional<std::uint64_t> on_cpu_ns(const std::filesystem::path& thread);

}  // namespace vballoon::driver
