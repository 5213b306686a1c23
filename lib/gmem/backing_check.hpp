// SPDX-License-Identifier: BSD-3-Clause
//
// gmem/backing_check.hpp - may this descriptor be guest memory of ours?
// Thread: any.
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

/// Which file system a file is on. Either may be unknown here: the mount where the VMM lives in
/// another mount namespace; the device where an overlay has layers on several file systems, for
/// then it shows one that nobody mounted.
struct MountKey {
  std::string mount;   ///< id of the mount, of all namespaces; empty: the kernel does not say
  std::string device;  ///< "MAJOR:MINOR"
};

/// The type of this file system, or nothing where it is not mounted in this text.
/// @param mountinfo  the text of /proc/self/mountinfo.
[[nodiscard]] std::string mount_type(std::string_view mountinfo, const MountKey& key);

}  // namespace vballoon::gmem
