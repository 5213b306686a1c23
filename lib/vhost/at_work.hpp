// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/at_work.hpp - the device whose message the vhost event thread handles. librte_vhost's log
//                     lines name a gate, which means nothing to people; readable_line() puts the
//                     device's socket there.
// Thread: each thread has its own notes.
#pragma once

#include <string>

namespace vballoon::vhost {

/// Notes that this connection, just accepted, belongs to the device with this socket.
/// @param device  what it is to have in hand (base/in_hand.hpp) who reads from the connection.
void belongs_to(int connection, const std::string& socket, const void* device);

/// Notes that this thread now reads from this connection, and works for its device.
void now_at(int connection) noexcept;

}  // namespace vballoon::vhost
