// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/event_thread.hpp - whether the calling thread is librte_vhost's event thread.
// Thread: any.
#pragma once

namespace vballoon::vhost {

[[nodiscard]] bool on_event_thread() noexcept;

/// While it is on, the thread looks every 5 ms for new sockets. Otherwise it takes up to a second
/// in 22.11, where a new listening socket does not wake it. From 24.11 on one does, and this has no
/// effect.
void hurry_event_thread(bool on) noexcept;

}  // namespace vballoon::vhost
