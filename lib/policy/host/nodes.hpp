// SPDX-License-Identifier: BSD-3-Clause
//
// policy/host/nodes.hpp - the memory of NUMA nodes, and their pools of huge pages.
// Thread: one at a time.
// Source: Linux, Documentation/ABI/stable/sysfs-devices-node, admin-guide/mm/hugetlbpage.rst.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/host/figures.hpp"
#include "policy/host/kernel_file.hpp"
#include "policy/host/memory.hpp"

namespace vballoon::policy {

class Nodes {
 public:
  /// Leaves out files that are missing or cannot be opened.
  explicit Nodes(const Paths& paths);

  [[nodiscard]] std::vector<NodeMemory> read_memory(const std::vector<Watermarks>& watermarks,
                                                    std::string& buffer) const;
  [[nodiscard]] std::vector<HugePagePool> read_pools() const;

 private:
  struct Memory {
    unsigned node;
    KernelFile file;
  };
  struct Pool {
    std::optional<unsigned> node;
    std::uint64_t page_bytes;
    KernelFile pages;
    KernelFile free;
    KernelFile surplus;
  };

  void add_node(unsigned node, const std::string& folder);
  void add_pools(std::optional<unsigned> node, const std::string& folder);

  std::vector<Memory> memory_;
  std::vector<Pool> pools_;
};

}  // namespace vballoon::policy
