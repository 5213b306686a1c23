// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/at_work.hpp - whose message the vhost event thread is at, for the lines that librte_vhost
//                     logs on it: those name a gate, which says nothing to people.
// Thread: each has its own.
#pragma once

#include <string>

namespace vballoon::vhost {

/// A connection that has just been accepted, of the device with this socket.
void belongs_to(int connection, const std::string& socket);

/// This thread reads from there now.
void now_at(int connection) noexcept;

}  // namespace vballoon::vhost
