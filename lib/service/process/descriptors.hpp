// SPDX-License-Identifier: BSD-3-Clause
//
// service/process/descriptors.hpp - raises the limit of open files.
#pragma once

namespace vballoon::service {

/// Raises the soft limit of open files to the hard limit. The soft limit protects programs that
/// call select(2), and this daemon does not. A VM takes two dozen descriptors.
/// @source  getrlimit(2), RLIMIT_NOFILE
void raise_descriptor_limit() noexcept;

}  // namespace vballoon::service
