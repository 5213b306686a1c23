// SPDX-License-Identifier: BSD-3-Clause
//
// gmem/memory_charge.hpp - whose account memory goes on that this process puts into a guest's file.
// Thread: any.
// Why:    the kernel charges a page of a shared file to the cgroup of whoever touches it first, and
//         lets nobody touch it for somebody else.
// Source: Linux Documentation/admin-guide/cgroup-v2.rst, "Memory Ownership";
//         cgroup-v1/hugetlb.rst; cgroups(7), /proc/[pid]/cgroup.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

namespace vballoon::gmem {

/// The cgroup on whose account a process has what a controller counts.
/// @param cgroups  /proc/PID/cgroup: a line "number:controllers:/path" a hierarchy.
/// @param counts   whether the controller counts for this cgroup of version 2 by itself; else what
/// is
///                 used there is its parent's.
/// @return  its path; "/" where nobody counts; empty where the text is of neither version.
[[nodiscard]] std::string paying_cgroup(std::string_view cgroups, std::string_view controller,
                                        const std::function<bool(const std::string& path)>& counts);

/// Why what this process puts into a file would not be on the account of another one.
/// @param other       that process; 0 where it is not known.
/// @param huge_pages  memory of hugetlbfs, which has a controller of its own.
/// @return  empty where it would.
[[nodiscard]] std::string charged_elsewhere(pid_t other, bool huge_pages);

}  // namespace vballoon::gmem
