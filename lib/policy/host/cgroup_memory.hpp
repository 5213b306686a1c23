// SPDX-License-Identifier: BSD-3-Clause
//
// policy/host/cgroup_memory.hpp - the memory of a cgroup, version 1 or 2, within its parents'
//                                 limits.
// Thread: one at a time.
// Source: Linux, admin-guide/cgroup-v1/memory.rst, admin-guide/cgroup-v2.rst.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "policy/host/kernel_file.hpp"
#include "policy/host/memory.hpp"

namespace vballoon::policy {

class CgroupMemory {
 public:
  /// @errors kNotFound when there is no such folder; kInvalidArgument when it is no cgroup, or none
  ///         that counts memory; kHost when its files cannot be opened.
  [[nodiscard]] static Result<CgroupMemory> open(const std::string& folder);

  /// @errors kNotFound when the cgroup was removed; kHost when its files cannot be read.
  [[nodiscard]] Result<CgroupFigures> read(std::string& buffer) const;

 private:
  /// The cgroup, or one of its parents. The root, and the topmost cgroup of a mount, lack some of
  /// these files.
  struct Level {
    KernelFile limit;
    KernelFile high;  // version 2: the kernel makes a task wait that charges beyond this
    KernelFile usage;
    KernelFile stat;
  };
  struct Charged {
    std::uint64_t usage = 0;
    std::uint64_t file = 0;
  };

  CgroupMemory(std::string folder, bool v2) : folder_(std::move(folder)), v2_(v2) {}

  [[nodiscard]] Level open_level(const std::string& folder) const;
  [[nodiscard]] bool add_levels();
  /// @return nothing when the kernel refuses, as it does once the cgroup is gone. A refusal never
  ///         reads as "no limit".
  [[nodiscard]] std::optional<std::uint64_t> limit_of(const Level& level) const;
  /// @param stat  set to the level's memory.stat, which lies in the buffer.
  [[nodiscard]] std::optional<Charged> read_charged(const Level& level, std::string& buffer,
                                                    std::string_view& stat) const;
  static void meet_limit(CgroupFigures& figures, std::uint64_t limit, const Charged& charged);
  void read_swap(CgroupFigures& figures, std::string_view stat) const;
  [[nodiscard]] bool meet_parents(CgroupFigures& figures, std::string& buffer) const;
  [[nodiscard]] tl::unexpected<Status> refused(int error) const;

  std::string folder_;  // as the operator spelled it
  bool v2_;
  std::vector<Level> levels_;  // the cgroup itself, then its parents
  KernelFile swap_;            // version 2
};

}  // namespace vballoon::policy
