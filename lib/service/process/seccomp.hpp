// SPDX-License-Identifier: BSD-3-Clause
//
// service/process/seccomp.hpp - limits this process to the system calls that the running daemon
//                               needs.
// Source: seccomp(2), seccomp_init(3). docs/security.md says what the filter is worth.
#pragma once

#include <optional>

#include "base/result.hpp"

namespace vballoon::service {

/// @return false in a build with a sanitizer. A sanitizer's run time needs other system calls: it
///         starts programs, and looks for leaks by ptrace.
[[nodiscard]] bool can_confine() noexcept;

/// Confines every thread of this process, also later ones, for good. The calls that the running
/// daemon needs are allowed. A call by which a process gets control of other processes, or more
/// rights, ends the process (SIGSYS). Any other call fails with ENOSYS.
/// @param folder  the descriptor of the folder in which files may be made; nothing: nowhere.
/// @pre     everything that needs other calls is done: EAL has started, and the names of socket
///          groups are resolved.
/// @errors  kHost where the kernel has no seccomp, or forbids it.
[[nodiscard]] Result<void> confine(std::optional<int> folder = std::nullopt);

}  // namespace vballoon::service
