// SPDX-License-Identifier: BSD-3-Clause
//
// keep/lent.hpp - an open file that is sent with an answer, and whether it was sent.
// Thread: any.
// Why:    sendfile(2) sends no descriptors, so no call of ours that sends one says that it did. But
//         a lock belongs to the open file itself, and lasts as long as anything refers to that: a
//         descriptor, a mapping, a message that nobody has read yet. Ours end with the process. A
//         lock that is there after its end is held by what was sent.
//         A peer that has let go of all of it by then counts as one that was never sent it, and is
//         sent another: it has no use for the first.
// Source: fcntl(2), "Open file description locks"; unix(7), SCM_RIGHTS.
#pragma once

#include <optional>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace vballoon::keep {

/// Locks an open file that is about to be sent.
/// @pre     nobody else has this open file; other open files of the same inode have no locks.
/// @return  another open file of that inode, which can be read only: the witness. It is to be kept
///          before the file is sent.
/// @errors  kHost with the reason.
[[nodiscard]] Result<UniqueFd> lock_lent(int fd);

/// Whether anybody still has what was locked. @pre the process that locked it has ended, or has
/// closed it.
/// @return nothing where nobody can tell.
[[nodiscard]] std::optional<bool> is_out(int witness) noexcept;

}  // namespace vballoon::keep
