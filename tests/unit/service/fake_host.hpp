// SPDX-License-Identifier: BSD-3-Clause
//
// control/fake_host.hpp - a host whose memory figures a test writes, and an autopilot that reads
//                         them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "driver/temporary_folder.hpp"
#include "keep/book.hpp"
#include "policy/autopilot.hpp"

namespace vballoon::service {

class FakeHost {
 public:
  FakeHost();

  void set_memory(std::uint64_t total_bytes, std::uint64_t available_bytes) const;
  /// So many pages came back from its swap, since it booted.
  void set_swapped_in(std::uint64_t pages) const;
  [[nodiscard]] policy::Paths paths() const;
  /// It tells of no pressure.
  /// @param law       of the configuration,
  /// @param pressure  and where it is to be listened to.
  /// @param book      for what that law remembers.
  [[nodiscard]] std::unique_ptr<policy::Autopilot> open(asio::io_context& loop, vm::Fleet& fleet,
                                                        const std::string& law = "balance",
                                                        const std::string& pressure = "none",
                                                        std::optional<keep::Book> book = {}) const;

 private:
  driver::TemporaryFolder folder_;
};

}  // namespace vballoon::service
