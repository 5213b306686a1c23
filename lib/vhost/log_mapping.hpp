// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/log_mapping.hpp - the dirty log that a migrating VMM gives us, mapped.
// Thread: whoever holds the device.
// Why:    not left to librte_vhost: it maps a log with an offset at the wrong place (22.11), marks
//         a packed ring by an address that is another area's, and takes no notice of a log that is
//         made shorter.
// Source: vhost-user protocol, "Migration", VHOST_USER_SET_LOG_BASE.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.hpp"
#include "virtq/dirty_log.hpp"

namespace vballoon::vhost {

class LogMapping {
 public:
  LogMapping() noexcept = default;
  /// @param fd  lent for the call.
  /// @errors kInvalidArgument: what is wrong with the log, as check_message() has it.
  [[nodiscard]] static Result<LogMapping> map(int fd, std::uint64_t bytes, std::uint64_t offset);
  ~LogMapping();
  LogMapping(LogMapping&& other) noexcept { *this = std::move(other); }
  LogMapping& operator=(LogMapping&& other) noexcept;

  [[nodiscard]] virtq::DirtyLog log() const noexcept { return {bytes_.data(), bytes_.size()}; }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace vballoon::vhost
