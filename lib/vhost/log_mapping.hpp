// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/log_mapping.hpp - the dirty log of a migrating VMM, mapped.
// Thread: the thread that holds the device's lock.
// Why:    librte_vhost maps a log with an offset at the wrong address (22.11), marks a packed ring
//         by the address of another area, and does not notice a log that is made shorter.
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
  /// @param fd  only used during the call.
  /// @errors kInvalidArgument with what is wrong with the log, in the form of check_message().
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
