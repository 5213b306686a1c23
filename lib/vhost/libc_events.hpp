// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/libc_events.hpp - a socket that librte_vhost waits for is exchanged under its number.
// Thread: the vhost event thread.
#pragma once

namespace vballoon::vhost {

/// As dup3(2): the number becomes another name of this connection. librte_vhost goes on to wait for
/// what the number is of.
/// @pre    librte_vhost has the number, and this thread is in its callback.
/// @return 0, or errno: librte_vhost may not hear of the number any more.
[[nodiscard]] int give_number(int connection, int number) noexcept;

}  // namespace vballoon::vhost
