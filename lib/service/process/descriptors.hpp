// SPDX-License-Identifier: BSD-3-Clause
//
// service/process/descriptors.hpp - how many files this process may have open.
#pragma once

namespace vballoon::service {

/// As many as whoever started it allows. The lower limit is there for programs that call select(2),
/// and none of this one does; a VM takes two dozen descriptors.
/// @source  getrlimit(2), RLIMIT_NOFILE
void raise_descriptor_limit() noexcept;

}  // namespace vballoon::service
