// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/exchanges.hpp - the exchange of each VMM's connection, by the connection's descriptor.
// Thread: any thread may begin one and drop one; the vhost event thread uses them. librte_vhost
//         closes a descriptor only when its event thread is done with it.
// Why:    recvmsg(2) and sendmsg(2) of librte_vhost tell a descriptor and no more
//         (libc_messages.cpp).
#pragma once

#include <cstddef>

#include "base/result.hpp"
#include "keep/exchange.hpp"

namespace vballoon::vhost {

/// Connections have lower numbers than this. Descriptors have the lowest number that is free, so
/// these do for a thousand VMs.
inline constexpr std::size_t kConnectionNumbers = std::size_t{1} << 17;

/// From now on messages of this connection leave the socket when they are answered.
/// @pre     librte_vhost has read nothing of it, and has the descriptor by this number.
/// @errors  those of keep::Exchange::begin(); kHost for a number that is out of bounds.
[[nodiscard]] Result<void> begin_exchange(int connection);

/// The same for a connection that another process had, with the file of its answers.
/// @param witness  as keep::Exchange::go_on() has it.
/// @errors also kUnavailable: nobody can tell whether the VMM has the answer it waited for.
[[nodiscard]] Result<void> take_up_exchange(int connection, UniqueFd answers, int witness);

/// @return null where the connection has none: it was turned away.
[[nodiscard]] keep::Exchange* find_exchange(int connection) noexcept;

/// The descriptor is about to be closed.
void drop_exchange(int connection) noexcept;

}  // namespace vballoon::vhost
