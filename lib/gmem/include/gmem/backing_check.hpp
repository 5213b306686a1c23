// SPDX-License-Identifier: BSD-3-Clause
//
// gmem/backing_check.hpp - may this descriptor be guest memory of ours?
// Layer:  gmem; may include base/. Thread: any.
// Why:    what is mapped is read by poll lcores. A page of a FUSE or a network file system comes
//         when its server likes, and until then the lcore stands still, with every VM on it. A VMM
//         may be such a server itself. So the file system is looked up in ways that ask no server:
//         fstat(2) and fstatfs(2) would.
// Source: memfd_create(2) and fcntl(2), F_GET_SEALS: shared memory and hugetlbfs only; statx(2),
//         AT_STATX_DONT_SYNC; proc_pid_mountinfo(5).
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace vballoon::gmem {

/// Shared memory (memfd, tmpfs), hugetlbfs, a file of a local disk, or a device of the kernel's.
/// @errors kInvalidArgument: what it is instead.
[[nodiscard]] Result<void> check_backing(int fd);

/// The type of the file system on this device, or nothing where it is not mounted in this text.
/// The id of a mount would not do: that of a VMM in another mount namespace is another.
/// @param mountinfo  the text of /proc/self/mountinfo.
/// @param device     "MAJOR:MINOR".
[[nodiscard]] std::string mount_type(std::string_view mountinfo, std::string_view device);

}  // namespace vballoon::gmem
