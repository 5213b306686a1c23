// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/log_line.hpp - lines of librte_vhost's log, made readable.
// Thread: the thread that logs.
#pragma once

#include <string>
#include <string_view>

namespace vballoon::vhost {

/// @return the line, with the device's socket in the place of a gate's name, which means nothing to
///         people.
[[nodiscard]] std::string readable_line(std::string_view line);

}  // namespace vballoon::vhost
