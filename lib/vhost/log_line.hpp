// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/log_line.hpp - lines of librte_vhost's log, made readable.
// Thread: the one that logs.
#pragma once

#include <string>
#include <string_view>

namespace vballoon::vhost {

/// The line with the socket of the device that it is about, where librte_vhost knows the device by
/// a name that only this program understands.
[[nodiscard]] std::string readable_line(std::string_view line);

}  // namespace vballoon::vhost
