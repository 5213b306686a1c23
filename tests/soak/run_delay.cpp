// SPDX-License-Identifier: BSD-3-Clause
#include "run_delay.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

#include "driver/process_figures.hpp"

namespace vballoon::soak {

RunDelay::RunDelay(const std::string& schedstat)
    : file_(::open(schedstat.c_str(), O_RDONLY | O_CLOEXEC)) {}

/// EAL names them rte-worker-N, newer ones dpdk-workerN.
RunDelay RunDelay::of_lcore(pid_t daemon, unsigned lcore) {
  const std::string old_name = fmt::format("rte-worker-{}", lcore);
  const std::string new_name = fmt::format("dpdk-worker{}", lcore);
  const std::array<std::string_view, 2> names{old_name, new_name};
  const auto thread = driver::thread_named(daemon, names);
  return RunDelay(thread ? *thread / "schedstat" : "");
}

std::uint64_t RunDelay::ns() const noexcept {
  std::array<char, 128> text{};
  if (::pread(file_.get(), text.data(), text.size() - 1, 0) <= 0) return 0;
  // Time on a cpu, time waiting for one, number of times.
  char* second = nullptr;
  static_cast<void>(std::strtoull(text.data(), &second, 10));
  return std::strtoull(second, nullptr, 10);
}

}  // namespace vballoon::soak
