// SPDX-License-Identifier: BSD-3-Clause
//
// control/descriptors.hpp - how many files this process may have open.
// Layer:  control; may include base/.
#pragma once

namespace vballoon::control {

/// As many as whoever started it allows. The lower limit is there for programs that call select(2),
/// and none of this one does; a VM takes two dozen descriptors.
/// @source  getrlimit(2), RLIMIT_NOFILE
void raise_descriptor_limit() noexcept;

}  // namespace vballoon::control
