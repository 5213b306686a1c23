// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/libc_calls.hpp - what librte_vhost asked of the C library.
// Layer:  vhost, its sources only.
#pragma once

namespace vballoon::vhost {

/// The newest descriptor that accept(2) returned on this thread; -1 for none.
[[nodiscard]] int last_accepted() noexcept;

/// The newest one that connect(2) connected on this thread; -1 for none.
[[nodiscard]] int last_connected() noexcept;

}  // namespace vballoon::vhost
