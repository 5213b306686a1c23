// SPDX-License-Identifier: BSD-3-Clause
#include "fake_host.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "base/units.hpp"

namespace vballoon::service {

FakeHost::FakeHost() {
  std::filesystem::create_directory(folder_.path() / "proc");
  std::filesystem::create_directory(folder_.path() / "sys");
  set_memory(16 * kGiB, 8 * kGiB);
  set_swapped_in(0);
}

/// In place, for the file is kept open.
void FakeHost::set_memory(std::uint64_t total_bytes, std::uint64_t available_bytes) const {
  std::ofstream(folder_.path("proc/meminfo"))
      << fmt::format("MemTotal: {} kB\nMemFree: {} kB\nMemAvailable: {} kB\n", total_bytes / kKiB,
                     available_bytes / kKiB, available_bytes / kKiB);
}

void FakeHost::set_swapped_in(std::uint64_t pages) const {
  std::ofstream(folder_.path("proc/vmstat")) << fmt::format("pswpin {}\npswpout 0\n", pages);
}

policy::Paths FakeHost::paths() const {
  return {folder_.path("proc"), folder_.path("sys")};
}

std::unique_ptr<policy::Autopilot> FakeHost::open(asio::io_context& loop, vm::Fleet& fleet,
                                                  const std::string& law,
                                                  const std::string& pressure,
                                                  std::optional<keep::Book> book) const {
  policy::PolicyConfig config;
  config.law = law;
  config.host_pressure = pressure;
  auto autopilot = policy::Autopilot::open(loop, fleet, config, std::move(book), paths());
  if (!autopilot) throw std::runtime_error(autopilot.error().message);
  return std::move(*autopilot);
}

}  // namespace vballoon::service
