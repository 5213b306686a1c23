// SPDX-License-Identifier: BSD-3-Clause
//
// service/process/seccomp.hpp - from here on this process asks the kernel for what it needs, and no
//                               more.
// Source: seccomp(2), seccomp_init(3). docs/security.md says what this is worth.
#pragma once

#include <optional>

#include "base/result.hpp"

namespace vballoon::service {

/// False in a build with a sanitizer, whose run time has needs of its own (it starts programs, and
/// looks for leaks by ptrace).
[[nodiscard]] bool can_confine() noexcept;

/// Confines every thread of this process, and those that come, for good. What the daemon needs once
/// it runs is allowed; a call by which a process gets hold of others, or of more rights, ends this
/// one (SIGSYS); any other fails with ENOSYS.
/// @param folder  where files may be made, by this descriptor of it; nothing: nowhere.
/// @pre     what needs more is done: EAL is up, groups of sockets given by name are known.
/// @errors  kHost where the kernel has no seccomp, or forbids it.
[[nodiscard]] Result<void> confine(std::optional<int> folder = std::nullopt);

}  // namespace vballoon::service
