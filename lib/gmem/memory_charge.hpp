// SPDX-License-Identifier: BSD-3-Clause
//
// gmem/memory_charge.hpp - which cgroup is charged for memory that this process puts into a guest's
//                          file.
// Thread: any.
// Why:    the kernel charges a page of a shared file to the cgroup of the process that touches it
//         first, and lets no process touch it at another one's charge.
// Source: Linux Documentation/admin-guide/cgroup-v2.rst, "Memory Ownership";
//         cgroup-v1/hugetlb.rst; cgroups(7), /proc/[pid]/cgroup.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

namespace vballoon::gmem {

/// The cgroup that is charged for what a process has of a controller's kind.
/// @param cgroups  /proc/PID/cgroup: a line "number:controllers:/path" a hierarchy.
/// @param counts   whether the controller counts for this cgroup of version 2 by itself; else its
///                 parent is charged.
/// @return  its path; "/" where no cgroup counts; empty where the text is of neither version.
[[nodiscard]] std::string paying_cgroup(std::string_view cgroups, std::string_view controller,
                                        const std::function<bool(const std::string& path)>& counts);

/// Why another process would not be charged for what this one puts into a file.
/// @param other       that process; 0 where it is not known.
/// @param huge_pages  memory of hugetlbfs, which has a controller of its own.
/// @return  empty where that process would be.
[[nodiscard]] std::string charged_elsewhere(pid_t other, bool huge_pages);

}  // namespace vballoon::gmem
