// SPDX-License-Identifier: BSD-3-Clause
//
// control/fake_host.hpp - a host whose memory figures a test writes, and an autopilot that reads
//                         them.
// Layer:  tests.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "control/autopilot.hpp"

namespace vballoon::control {

class FakeHost {
 public:
  FakeHost();
  ~FakeHost();
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  void set_memory(std::uint64_t total_bytes, std::uint64_t available_bytes) const;
  [[nodiscard]] host::Paths paths() const;
  /// Hears no pressure. @param law  of the configuration.
  [[nodiscard]] std::unique_ptr<Autopilot> open(asio::io_context& loop, Backend& backend,
                                                const std::string& law = "balance") const;

 private:
  std::filesystem::path folder_;
};

}  // namespace vballoon::control
