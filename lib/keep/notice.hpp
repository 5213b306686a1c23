// SPDX-License-Identifier: BSD-3-Clause
//
// keep/notice.hpp - a message of a service to its manager, as the manager reads it.
// Source: sd_notify(3).
#pragma once

#include <string>
#include <string_view>

namespace vballoon::keep {

/// The name of the keeper's socket, before the number of its process.
inline constexpr std::string_view kKeeperSocket = "keeper-";
/// The service is to be ended and started again: for the keeper alone. Others pass over lines that
/// they do not know.
inline constexpr std::string_view kRestartLine = "X_VBALLOON_RESTART=1";

struct Notice {
  bool ready = false;
  bool store = false;   ///< the descriptors that came with it
  bool remove = false;  ///< all of that name
  bool restart = false;
  bool polled = true;  ///< what is stored goes when its peer hangs up
  std::string name;
  std::string state;  ///< READY=1, STATUS=, WATCHDOG=1: the lines that say how the service is
};

[[nodiscard]] Notice read_notice(std::string_view text);

}  // namespace vballoon::keep
